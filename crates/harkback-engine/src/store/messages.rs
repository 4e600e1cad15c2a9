//! SQL of messages.
