//! Bytes to passages: parse, cut, embed, publish in one transaction.

mod chunk;
mod parse;
mod segment;
