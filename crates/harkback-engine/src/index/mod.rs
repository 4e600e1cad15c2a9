//! Pure data structures of retrieval, built from the store and disposable.
