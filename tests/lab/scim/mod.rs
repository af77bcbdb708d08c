//! The simulated SCIM server against RFC 7643, RFC 7644 and RFC 9865: the examples that RFC 7644 gives in its section 3 and
//! what stands between them. Numbers in comments are those of RFC 7644.

#![expect(clippy::unwrap_used, reason = "what is missing in an answer fails the test, in a helper too")]

mod bulk;
mod discovery;
mod listing;
mod patching;
mod resources;
mod server;
mod stories;
