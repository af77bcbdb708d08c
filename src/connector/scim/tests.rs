//! The pure parts of this folder: what is read of a resource, and what is sent.
