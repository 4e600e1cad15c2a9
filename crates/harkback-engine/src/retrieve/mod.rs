//! Answers over one immutable snapshot: lists, fusion, assembly.
