//! What every route shares, and the way of a request through the table.

use std::sync::Arc;

use gatewright_arm::{ApiVersion, ArmError, ResourceId};
use gatewright_store::{
    CommitError, Entry, Key, Page, Revision, SealingKey, Store, StoreError, Transaction,
};
use hyper::header::{self, HeaderMap};
use hyper::{Method, StatusCode};
use std::sync::atomic::AtomicU64;

use crate::asked::Asked;
use crate::config::ControlConfig;
use crate::context::Context;
use crate::front::answer::Answer;
use crate::front::request::Request;
use crate::front::router::{Access, Captures, Found, Route, Router};
use crate::identity::{Caller, Identity};
use crate::node::Node;
use crate::operations::Endings;
use crate::resources::document::{self, Document};
use crate::resources::inventory::Inventory;
use crate::resources::kind::Kind;

/// The control plane.
pub(crate) struct Core {
    pub(crate) config: ControlConfig,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sealing: Arc<SealingKey>,
    pub(crate) inventory: Inventory,
    pub(crate) identity: Identity,
    pub(crate) endings: Endings,
    pub(crate) asked: Asked,
    pub(crate) kinds: Vec<Box<dyn Kind>>,
    /// Held from the last look at what is stored until the change is: what one write relies on, no
    /// other takes away meanwhile. One process has the store, so that this is enough.
    pub(crate) writing: tokio::sync::Mutex<()>,
    /// How many writes of clients there were: whether what a write was judged by may have changed.
    pub(crate) edits: AtomicU64,
    pub(crate) router: Router,
    node: Arc<dyn Node>,
    /// The authorities that this control plane answers to, in lower case.
    authorities: Vec<String>,
}

impl Core {
    pub(crate) fn new(
        config: ControlConfig,
        authorities: Vec<String>,
        store: Arc<dyn Store>,
        sealing: Arc<SealingKey>,
        identity: Identity,
        node: Arc<dyn Node>,
    ) -> Self {
        let kinds = crate::providers::kinds();
        let router = Router::new(crate::routes::table(&kinds));
        Self {
            config,
            store,
            sealing,
            inventory: Inventory::default(),
            identity,
            endings: Endings::default(),
            asked: Asked::default(),
            kinds,
            writing: tokio::sync::Mutex::default(),
            edits: AtomicU64::default(),
            router,
            node,
            authorities,
        }
    }

    pub(crate) fn node(&self) -> &dyn Node {
        &*self.node
    }

    /// The scheme and authority of links in answers: the one that the client used.
    ///
    /// # Errors
    /// When it is not one of this control plane's: a page of a stranger's must not speak to it
    /// through somebody's browser, and no link may lead elsewhere.
    pub(crate) fn origin(&self, headers: &HeaderMap) -> Result<String, ArmError> {
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let host = host.unwrap_or_default().to_ascii_lowercase();
        if self.authorities.contains(&host) {
            return Ok(format!("https://{host}"));
        }
        let message = format!(
            "This control plane answers to {}; the request's Host is another.",
            self.authorities.join(", ")
        );
        Err(ArmError::front_door("InvalidHostHeader", message))
    }

    /// Finds the route, asks who the caller is and what they may do, and answers.
    pub(crate) async fn answer(self: &Arc<Self>, request: Request) -> Answer {
        let is_head = request.method == Method::HEAD;
        let mut answer = match self.dispatch(request).await {
            Ok(answer) => answer,
            Err(error) => Answer::error(&error),
        };
        if is_head {
            answer.body = crate::front::answer::Body::Empty;
        }
        answer
    }

    async fn dispatch(self: &Arc<Self>, request: Request) -> Result<Answer, ArmError> {
        let found = self.router.find(&request.method, &request.segments);
        if let Found::Route(route, captures) = found {
            if route.access == Access::Public {
                let newest = ApiVersion::NEWEST;
                return self
                    .call(route, request, captures, Caller::nobody(), newest)
                    .await;
            }
            let caller = self.identity.caller(&request)?;
            let api_version = request.api_version()?;
            self.admit(route, &request, &captures, &caller)?;
            return self
                .call(route, request, captures, caller, api_version)
                .await;
        }
        // Strangers learn nothing, not even which paths there are.
        self.identity.caller(&request)?;
        request.api_version()?;
        Err(match found {
            Found::OtherMethods(methods) => other_methods(&request, &methods),
            Found::Route(..) | Found::Nothing => self.nothing_here(&request),
        })
    }

    async fn call(
        self: &Arc<Self>,
        route: &Route,
        request: Request,
        captures: Captures,
        caller: Caller,
        api_version: ApiVersion,
    ) -> Result<Answer, ArmError> {
        let context = Context {
            core: Arc::clone(self),
            request,
            captures,
            caller,
            api_version,
        };
        // What a write has begun is carried through, though its client goes away meanwhile.
        let answered = tokio::spawn((route.handler)(context)).await;
        answered.unwrap_or_else(|error| Err(failed(error)))
    }

    fn admit(
        &self,
        route: &Route,
        request: &Request,
        captures: &Captures,
        caller: &Caller,
    ) -> Result<(), ArmError> {
        let Access::Action(action) = &route.access else {
            return self.known_subscription(request);
        };
        let action = action.replace("{namespace}", captures.get("namespace"));
        caller.require(&action, &request.scope())?;
        self.known_subscription(request)
    }

    /// There is one subscription.
    fn known_subscription(&self, request: &Request) -> Result<(), ArmError> {
        let segments = &request.segments;
        let [first, subscription, ..] = segments.as_slice() else {
            return Ok(());
        };
        let is_other = first.eq_ignore_ascii_case("subscriptions")
            && !subscription.eq_ignore_ascii_case(&self.config.subscription);
        if !is_other {
            return Ok(());
        }
        let message = format!("The subscription '{subscription}' could not be found.");
        Err(ArmError::front_door("SubscriptionNotFound", message))
    }

    fn nothing_here(&self, request: &Request) -> ArmError {
        let path = format!("/{}", request.segments.join("/"));
        let kind = ResourceId::parse(&path).map(|id| id.resource_type());
        let words = kind.unwrap_or_default();
        match words.split_once('/') {
            Some((namespace, kind)) => ArmError::front_door(
                "InvalidResourceType",
                format!(
                    "The resource type '{kind}' could not be found in the namespace '{namespace}' \
                     for api version '{}'. It is not part of this control plane.",
                    request.query.get("api-version").unwrap_or_default()
                ),
            ),
            None => ArmError::front_door(
                "NotFound",
                "There is nothing at this path of the control plane.",
            ),
        }
    }

    /// The kind whose resources have this type.
    pub(crate) fn kind(&self, resource_type: &str) -> Option<&dyn Kind> {
        let mut kinds = self.kinds.iter();
        let found = kinds.find(|kind| kind.name().eq_ignore_ascii_case(resource_type));
        found.map(|kind| &**kind)
    }

    /// A resource.
    pub(crate) async fn document(&self, id: &ResourceId) -> Result<Option<Document>, ArmError> {
        let key = document::key_of(id).map_err(failed)?;
        let entry = self.store.get(&key).await.map_err(failed)?;
        entry
            .as_ref()
            .map(Document::read)
            .transpose()
            .map_err(failed)
    }

    /// Every entry whose key begins with `prefix`.
    pub(crate) async fn entries(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let mut all = Vec::new();
        let mut after: Option<Key> = None;
        loop {
            let page = self.store.list(prefix, after.as_ref(), PAGE).await?;
            let Page { entries, more, .. } = page;
            after = entries.last().map(|entry| entry.key.clone());
            all.extend(entries);
            if !more || after.is_none() {
                return Ok(all);
            }
        }
    }

    pub(crate) async fn commit(&self, transaction: Transaction) -> Result<Revision, CommitError> {
        self.store.commit(transaction).await
    }
}

/// Entries that are read at a time.
const PAGE: usize = 500;

/// What a client is told when the store fails; the log has the rest.
pub(crate) fn failed(error: impl std::fmt::Display) -> ArmError {
    tracing::error!("{error}");
    ArmError::front_door(
        "InternalServerError",
        "The control plane's store failed; its log says why.",
    )
}

fn other_methods(request: &Request, methods: &[Method]) -> ArmError {
    let allowed: Vec<&str> = methods.iter().map(Method::as_str).collect();
    let message = format!(
        "The requested resource does not support http method '{}'; it supports {}.",
        request.method,
        allowed.join(", ")
    );
    ArmError::front_door("MethodNotAllowed", message)
}

impl Request {
    /// The scope that permission is needed on: the resource, group or subscription of the path.
    pub(crate) fn scope(&self) -> String {
        format!("/{}", self.segments.join("/"))
    }
}

/// The status of an answer to a write.
pub(crate) fn written(is_new: bool) -> StatusCode {
    match is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    }
}
