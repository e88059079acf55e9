//! Pure Rust core of kubeinformer: no Python in here.
