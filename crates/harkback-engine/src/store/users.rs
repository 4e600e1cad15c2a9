//! SQL of users.
