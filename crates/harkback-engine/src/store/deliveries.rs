//! SQL of deliveries.
