//! One integration binary: real router, real store, real files, fixed clock.
