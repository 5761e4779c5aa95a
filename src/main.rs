//! vinzy
fn main() {}
