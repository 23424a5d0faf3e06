//! Resources: what is stored of them, what is known of all of them, how they are written.

pub(crate) mod document;
pub(crate) mod edit;
pub(crate) mod inventory;
pub(crate) mod kind;
pub(crate) mod links;
pub(crate) mod naming;
pub(crate) mod predecessors;
pub(crate) mod recent;
pub(crate) mod records;
pub(crate) mod references;
pub(crate) mod remove;
pub(crate) mod settle;
pub(crate) mod shape;
pub(crate) mod shown;
pub(crate) mod stamp;
pub(crate) mod tags;
pub(crate) mod unchanged;
pub(crate) mod write;
