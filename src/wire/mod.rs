//! The only door to the network.
//!
//! A line leads to one system. Reading goes through a [`Reader`], which repeats what failed in passing. Writing goes
//! through a [`Writer`], which can only be made with the journal in hand: the intent is durable before the request leaves
//! and the answer is durable before anyone sees it. No redirect is followed and no write is repeated behind anybody's
//! back. Both keep to the pace of the line, and leave a system alone that fails all the time. The door knows no provider:
//! what is odd about the answers of one is its [`Dialect`].

mod address;
mod bounds;
mod breaker;
mod budget;
mod credential;
mod dialect;
mod echo;
mod fault;
mod grant;
mod json;
mod laboratory;
mod line;
mod meter;
mod own;
mod pace;
mod quota;
mod reader;
mod repeat;
mod reply;
mod route;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    address::is_astray,
    budget::{Allotment, Budget},
    credential::Credential,
    grant::{Client, Granted, Ungranted},
    laboratory::ask_lab,
    line::{Habits, Line, Reach},
    meter::Rate,
    own::{OwnToken, Renewal, Unrenewed},
    pace::Bound,
    route::{Proxy, Route},
};
pub use self::{
    dialect::{Allowance, Dialect, Quota, Refill},
    fault::WireError,
    reader::Reader,
    reply::Reply,
    writer::Writer,
};
