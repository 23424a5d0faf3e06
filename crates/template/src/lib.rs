//! Deployment templates of Azure Resource Manager: read, evaluated, planned.
//!
//! - [`read_document`] reads the text as leniently as the service does (comments, keys without
//!   quotes, texts over several lines), and remembers where each value stood.
//! - [`Template::read`] takes the document as a template, [`plan`] makes the [`Plan`] of it:
//!   the resources with their ids, dependencies first, and everything checked that can be checked
//!   before one of them is there.
//! - [`PlannedResource::body`] and [`Plan::outputs`] evaluate what is left, when its turn comes,
//!   and ask a [`Runtime`] for what has been deployed by then.
//!
//! # What is known
//!
//! Recorded from the service are: the sentence and the position of a missing parameter, the shapes
//! of `dependencies`, `providers`, `parameters`, `outputs` and `outputResources`, the casing of
//! types and of output names. The expression language and its functions follow the service's
//! documentation. Where that leaves a choice, the module says what was chosen. Not supported, and
//! refused with a sentence: linked templates, secrets of key vaults as parameters, `scope`,
//! extensions, deployments to other subscriptions.
//!
//! Promised: no input makes any of this panic; the work and the size of every result are bounded
//! ([`MAX_WORK_BYTES`], [`MAX_RESULT_BYTES`]); values of secure parameters are neither in an error
//! nor in an answer.
//!
//! Never here: I/O, a clock, randomness, asynchronous code, knowledge of any type of resource. Time
//! and seeds are in the [`Scope`]. This crate depends on no other crate of the product.

mod bounds;
mod document;
mod error;
mod evaluate;
mod expression;
mod frame;
mod functions;
mod parameters;
mod plan;
mod read;
mod scope;
mod template;
mod variables;

pub use bounds::{MAX_RESULT_BYTES, MAX_WORK_BYTES};
pub use document::Document;
pub use error::TemplateError;
pub use evaluate::{MAX_COPIES, MAX_EVALUATION_DEPTH};
pub use expression::{MAX_EXPRESSION_BYTES, MAX_EXPRESSION_DEPTH};
pub use plan::{MAX_NESTED_DEPLOYMENTS, MAX_RESOURCES, Plan, PlannedResource, plan};
pub use read::{MAX_DEPTH, MAX_TEXT_BYTES, ReadError, read_document, read_printed, read_text};
pub use scope::{ResourceGroup, Runtime, Scope};
pub use template::{MAX_OUTPUTS, MAX_PARAMETERS, MAX_VARIABLES, Template};
