//! The front door: connections, requests, answers, and the table of routes.

pub(crate) mod answer;
pub(crate) mod body;
mod exchange;
pub(crate) mod limits;
mod patient;
mod places;
pub(crate) mod query;
pub(crate) mod request;
pub(crate) mod router;
pub(crate) mod server;
