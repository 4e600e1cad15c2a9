//! The `harkback` command.

fn main() {}
