//! File bytes on a local disk, through `object_store` with fsync.
