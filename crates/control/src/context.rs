//! A request on its way through the routes.

use std::pin::Pin;
use std::sync::Arc;

use gatewright_arm::{ApiVersion, ArmError, ResourceId};
use serde_json::Value;

use crate::core::Core;
use crate::front::answer::Answer;
use crate::front::body;
use crate::front::request::Request;
use crate::front::router::Captures;
use crate::identity::Caller;

/// Answers a request.
pub(crate) type Handler = Arc<
    dyn Fn(Context) -> Pin<Box<dyn Future<Output = Result<Answer, ArmError>> + Send>> + Send + Sync,
>;

/// Makes a handler of an asynchronous function.
pub(crate) fn handler<F, R>(function: F) -> Handler
where
    F: Fn(Context) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Answer, ArmError>> + Send + 'static,
{
    Arc::new(move |context| Box::pin(function(context)))
}

/// A request, who sent it, and what its path holds.
pub(crate) struct Context {
    pub(crate) core: Arc<Core>,
    pub(crate) request: Request,
    pub(crate) captures: Captures,
    /// Nobody, on a route for everyone.
    pub(crate) caller: Caller,
    /// The newest, on a route for everyone.
    pub(crate) api_version: ApiVersion,
}

impl Context {
    /// The path as a resource id, without so many segments at its end.
    ///
    /// # Errors
    /// When it has not the form of one.
    pub(crate) fn resource_id(&self, without: usize) -> Result<ResourceId, ArmError> {
        let segments = &self.request.segments;
        let kept = segments.len().saturating_sub(without);
        let path: Vec<&str> = segments.iter().take(kept).map(String::as_str).collect();
        ResourceId::parse(&format!("/{}", path.join("/"))).map_err(|error| {
            let message = format!("The path names no resource: {error}.");
            ArmError::front_door("InvalidRequestUri", message)
        })
    }

    pub(crate) fn json(&self) -> Result<Value, ArmError> {
        body::json(&self.request.body)
    }

    /// A link to a path of this control plane, under the name that the client used.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.request.origin)
    }
}
