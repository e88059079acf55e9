//! The algorithm of the bracket search, over masks of 64 bytes. Invariant: the state after any number of pieces is the
//! state after their concatenation.

/// One bit a byte of a block of 64, the first byte in bit 0.
pub(super) struct Masks {
    pub quote: u64,
    pub backslash: u64,
    /// `{` and `[`.
    pub open: u64,
    /// `}` and `]`.
    pub close: u64,
    /// Set for `{` and `}`, clear for `[` and `]`, anything elsewhere.
    pub curly: u64,
}

/// How a kind of CPU fills the masks.
pub(super) trait Lanes {
    /// # Safety
    /// The CPU must have the features that the implementation names.
    unsafe fn masks(block: &[u8; 64]) -> Masks;

    /// Bit n of the result is the parity of the bits 0 to n of `bits`.
    ///
    /// # Safety
    /// The CPU must have the features that the implementation names.
    #[inline(always)]
    unsafe fn prefix_parity(bits: u64) -> u64 {
        let mut parity = bits;
        let mut shift = 1;
        while shift < 64 {
            parity ^= parity << shift;
            shift <<= 1;
        }
        parity
    }
}

/// Where a bracket search stands between two pieces of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nesting {
    /// Brackets that are open.
    depth: i64,
    /// Open `{` less closed `}`: 0 at the end, or the brackets did not pair up.
    curly: i64,
    /// All ones inside a string, else 0.
    in_string: u64,
    /// 1 if the next byte is escaped by a backslash, else 0.
    escaped: u64,
}

const EVEN: u64 = 0x5555_5555_5555_5555;

impl Nesting {
    /// The state just behind an opening bracket.
    #[inline]
    pub fn opened(bracket: u8) -> Self {
        Self {
            depth: 1,
            curly: i64::from(bracket == b'{'),
            in_string: 0,
            escaped: 0,
        }
    }

    /// Whether the brackets that were read are as many `{` as `}` (and so as many `[` as `]` once the depth is 0).
    #[inline]
    pub fn pairs_up(&self) -> bool {
        self.curly == 0
    }

    /// The bytes of a block that a backslash escapes; `len` is how much of the block is input.
    #[inline(always)]
    fn escapes(&mut self, backslash: u64, len: u32) -> u64 {
        if backslash == 0 {
            return std::mem::take(&mut self.escaped);
        }
        // A backslash that is itself escaped starts nothing. Adding a run's first bit to the run carries out just behind
        // it; whether that place is as far from the start as an odd number decides if the byte there is escaped.
        let active = backslash & !self.escaped;
        let behind = (active << 1) | self.escaped;
        let odd_starts = active & !EVEN & !behind;
        let (runs, overflow) = odd_starts.overflowing_add(active);
        let escaped = (EVEN ^ (runs << 1)) & behind;
        self.escaped = if len < 64 {
            (escaped >> len) & 1
        } else {
            u64::from(overflow)
        };
        escaped
    }

    /// # Safety
    /// The CPU must have the features that `L` names.
    #[inline(always)]
    unsafe fn block<L: Lanes>(&mut self, block: &[u8; 64], len: u32) -> Option<usize> {
        // SAFETY: this function's own requirement.
        let masks = unsafe { L::masks(block) };
        let escaped = self.escapes(masks.backslash, len);
        // SAFETY: this function's own requirement.
        let inside = unsafe { L::prefix_parity(masks.quote & !escaped) } ^ self.in_string;
        self.in_string = 0u64.wrapping_sub(inside >> 63);
        let open = masks.open & !inside;
        let close = masks.close & !inside;
        // What closes right behind its opening cannot end anything further out; managedFields are full of `{}`.
        let closing = close & !(open << 1);
        let opening = open & !(close >> 1);
        let closed = i64::from(closing.count_ones());
        if self.depth <= closed {
            if let Some(end) = self.last_close(open, close, masks.curly) {
                return Some(end);
            }
        }
        self.depth += i64::from(opening.count_ones()) - closed;
        self.curly += i64::from((open & masks.curly).count_ones())
            - i64::from((close & masks.curly).count_ones());
        None
    }

    /// The end, if the depth comes to 0 inside the block. Out of line in spirit: few blocks close that much.
    #[inline(always)]
    fn last_close(&mut self, open: u64, close: u64, curly: u64) -> Option<usize> {
        let mut rest = close;
        let mut depth = self.depth;
        while rest != 0 {
            let at = rest.trailing_zeros();
            let below = (1u64 << at) - 1;
            depth -= 1;
            if depth + i64::from((open & below).count_ones()) == 0 {
                let through = below | (1 << at);
                self.curly += i64::from((open & curly & below).count_ones())
                    - i64::from((close & curly & through).count_ones());
                self.depth = 0;
                return Some(at as usize + 1);
            }
            rest &= rest - 1;
        }
        None
    }

    /// # Safety
    /// The CPU must have the features that `L` names.
    #[inline(always)]
    pub(super) unsafe fn close<L: Lanes>(&mut self, data: &[u8]) -> Option<usize> {
        let mut state = *self;
        let mut at = 0;
        while let Some(block) = data.get(at..at + 64) {
            let block: &[u8; 64] = block.try_into().expect("64 bytes");
            // SAFETY: this function's own requirement.
            if let Some(end) = unsafe { state.block::<L>(block, 64) } {
                *self = state;
                return Some(at + end);
            }
            at += 64;
        }
        let rest = &data[at..];
        let mut end = None;
        if !rest.is_empty() {
            let mut block = [b' '; 64];
            block[..rest.len()].copy_from_slice(rest);
            // SAFETY: this function's own requirement.
            end = unsafe { state.block::<L>(&block, rest.len() as u32) }.map(|end| at + end);
        }
        *self = state;
        end
    }
}
