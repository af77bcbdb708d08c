//! The only door to the network.
//!
//! A line leads to one system. Reading goes through a [`Reader`], which repeats what failed in passing. Writing goes
//! through a [`Writer`], which can only be made with the journal in hand: the intent is durable before the request leaves
//! and the answer is durable before anyone sees it. No redirect is followed and no write is repeated behind anybody's
//! back. The door knows no provider.

mod address;
mod credential;
mod fault;
mod laboratory;
mod line;
mod reader;
mod reply;
mod writer;

pub(crate) use self::{
    address::is_astray,
    credential::Credential,
    laboratory::ask_lab,
    line::{Line, Reach},
};
pub use self::{fault::WireError, reader::Reader, reply::Reply, writer::Writer};
