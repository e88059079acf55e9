//! `Dictionary`: what the objects of one informer have in common, for zstd. Invariant: what a dictionary compressed it gives
//! back byte for byte, for as long as an object refers to it; two dictionaries share nothing.
use std::cell::RefCell;
use std::fmt;
use zstd::zstd_safe::{compress_bound, CCtx, CDict, DCtx, DDict};

/// Of zstd's levels the last one that costs less than a scan.
const LEVEL: i32 = 3;

/// A dictionary holds at most so many bytes. Each informer has it three times, in the forms that zstd uses.
const MAX_BYTES: usize = 64 << 10;

/// Samples are so many times as large: with fewer, zstd finds nothing in common where there is a lot.
const SAMPLES_PER_BYTE: usize = 32;

/// Bytes of samples that are looked at: some 100 milliseconds.
const MAX_SAMPLES: usize = 4 << 20;

/// What a thread keeps between two objects, unless it has become larger than that.
const KEPT_BUFFER: usize = 1 << 20;

const MEMORY: &str = "zstd fails for want of memory only";

thread_local! {
    static ENCODER: RefCell<(CCtx<'static>, Vec<u8>)> = RefCell::new((CCtx::create(), Vec::new()));
    static DECODER: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// See the module.
pub struct Dictionary {
    encoder: CDict<'static>,
    decoder: DDict<'static>,
}

impl Dictionary {
    /// Learns from the first of these objects. Takes some 100 milliseconds.
    pub fn train<'s>(samples: impl IntoIterator<Item = &'s [u8]>) -> Self {
        let (mut all, mut sizes) = (Vec::new(), Vec::new());
        for sample in samples {
            if all.len() + sample.len() > MAX_SAMPLES {
                break;
            }
            all.extend_from_slice(sample);
            sizes.push(sample.len());
        }
        let bytes = MAX_BYTES.min(all.len() / SAMPLES_PER_BYTE);
        // What is too little to learn from is a dictionary as it stands.
        let trained = zstd::dict::from_continuous(&all, &sizes, bytes);
        let content = trained.unwrap_or_else(|_| {
            all.truncate(MAX_BYTES);
            all
        });
        Self {
            encoder: CDict::create(&content, LEVEL),
            decoder: DDict::create(&content),
        }
    }

    /// Compresses with what the thread has at hand.
    pub(super) fn compress(&self, json: &[u8]) -> Box<[u8]> {
        ENCODER.with_borrow_mut(|(context, buffer)| {
            buffer.clear();
            buffer.reserve(compress_bound(json.len()));
            let length = context.compress_using_cdict(buffer, json, &self.encoder);
            length.expect(MEMORY);
            let compressed = Box::from(&**buffer);
            if buffer.capacity() > KEPT_BUFFER {
                *buffer = Vec::new();
            }
            compressed
        })
    }

    /// Puts what was compressed into an empty vector that has room for it.
    pub(super) fn decompress(&self, compressed: &[u8], into: &mut Vec<u8>) {
        DECODER
            .with_borrow_mut(|context| {
                context.decompress_using_ddict(into, compressed, &self.decoder)
            })
            .expect("this dictionary compressed it");
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dictionary")
            .field("bytes", &(self.encoder.sizeof() + self.decoder.sizeof()))
            .finish()
    }
}
