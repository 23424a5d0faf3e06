//! What every route shares, and the way of a request through the table.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatewright_arm::{ApiVersion, ArmError, ResourceId};
use gatewright_store::{
    CommitError, Entry, Key, Page, Revision, SealingKey, Store, StoreError, Transaction,
};
use hyper::header::{self, HeaderMap};
use hyper::{Method, StatusCode, Uri};
use tokio::sync::Semaphore;

use crate::asked::Asked;
use crate::config::ControlConfig;
use crate::context::{Context, Handler};
use crate::front::answer::Answer;
use crate::front::limits::{LARGE_AT_A_TIME, Limits};
use crate::front::request::Request;
use crate::front::router::{Access, Captures, Found, Router};
use crate::identity::{Caller, Identity};
use crate::node::Node;
use crate::operations::Endings;
use crate::resources::document::{self, Document};
use crate::resources::inventory::Inventory;
use crate::resources::kind::Kind;
use crate::resources::recent::Recent;
use crate::resources::records::is_record;
use crate::storage::Storage;

/// The control plane.
pub(crate) struct Core {
    pub(crate) config: ControlConfig,
    pub(crate) limits: Limits,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sealing: Arc<SealingKey>,
    pub(crate) inventory: Inventory,
    recent: Recent,
    pub(crate) identity: Identity,
    pub(crate) endings: Endings,
    pub(crate) asked: Asked,
    pub(crate) kinds: Vec<Box<dyn Kind>>,
    /// Held from the last look at what is stored until the change is: what one write relies on, no
    /// other takes away meanwhile. One process has the store, so that this is enough.
    pub(crate) writing: tokio::sync::Mutex<()>,
    /// How many writes of clients there were: whether what a write was judged by may have changed.
    edits: AtomicU64,
    /// Turns for requests with large bodies, which take many times as much memory while they are
    /// judged.
    pub(crate) large: Semaphore,
    pub(crate) router: Router,
    node: Arc<dyn Node>,
    /// The authorities that this control plane answers to, in lower case.
    authorities: Vec<String>,
}

impl Core {
    pub(crate) fn new(
        config: ControlConfig,
        limits: Limits,
        authorities: Vec<String>,
        storage: Storage,
        identity: Identity,
        node: Arc<dyn Node>,
    ) -> Self {
        let kinds = crate::providers::kinds();
        let router = Router::new(crate::routes::table(&kinds));
        Self {
            config,
            limits,
            store: storage.store,
            sealing: storage.sealing,
            inventory: Inventory::default(),
            recent: storage.recent,
            identity,
            endings: Endings::default(),
            asked: Asked::default(),
            kinds,
            writing: tokio::sync::Mutex::default(),
            edits: AtomicU64::default(),
            large: Semaphore::new(LARGE_AT_A_TIME),
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
    /// through somebody's browser, and no link may lead elsewhere. Or when there are several, which
    /// somebody on the way may have understood otherwise.
    pub(crate) fn origin(&self, uri: &Uri, headers: &HeaderMap) -> Result<String, ArmError> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().unwrap_or_default(),
            _ => "",
        };
        let host = host.to_ascii_lowercase();
        let is_same = |target: &str| target.eq_ignore_ascii_case(&host);
        let target = uri.authority().map(|authority| authority.as_str());
        if self.authorities.contains(&host) && target.is_none_or(is_same) {
            return Ok(format!("https://{host}"));
        }
        let message = format!(
            "This control plane answers to {}; the request's Host is another.",
            self.authorities.join(", ")
        );
        Err(ArmError::front_door("InvalidHostHeader", message))
    }

    /// Finds the route, asks who the caller is and what they may do. Nothing of what is stored, nor
    /// the body, has been looked at then; `known` is told of a caller as soon as there is one.
    ///
    /// # Errors
    /// When the token is not good, the caller may not do this, or there is no such route. Strangers
    /// learn nothing, not even which paths there are.
    pub(crate) fn admit(
        &self,
        request: &Request,
        known: &mut Option<Caller>,
    ) -> Result<Admitted, ArmError> {
        let found = self.router.find(&request.method, &request.segments);
        if let Found::Route(route, captures) = &found
            && route.access == Access::Public
        {
            return Ok(Admitted {
                handler: Arc::clone(&route.handler),
                captures: captures.clone(),
                caller: Caller::nobody(),
                api_version: ApiVersion::NEWEST,
                is_public: true,
            });
        }
        let caller = self.identity.caller(request)?;
        *known = Some(caller.clone());
        let api_version = request.api_version()?;
        self.known_subscription(request)?;
        let (route, captures) = match found {
            Found::Route(route, captures) => (route, captures),
            Found::OtherMethods(methods) => return Err(other_methods(request, &methods)),
            Found::Nothing => return Err(nothing_here(request)),
        };
        if let Access::Action(action) = &route.access {
            let action = action.replace("{namespace}", captures.get("namespace"));
            caller.require(&action, &request.scope())?;
        }
        Ok(Admitted {
            handler: Arc::clone(&route.handler),
            captures,
            caller,
            api_version,
            is_public: false,
        })
    }

    /// Answers a request that was admitted, in a task of its own: a client that hangs up must not
    /// leave a write half done, between what is stored and what follows from it.
    pub(crate) async fn carry_out(
        self: &Arc<Self>,
        admitted: Admitted,
        request: Request,
    ) -> Result<Answer, ArmError> {
        let context = Context {
            core: Arc::clone(self),
            request,
            captures: admitted.captures,
            caller: admitted.caller,
            api_version: admitted.api_version,
        };
        let answering = tokio::spawn((admitted.handler)(context));
        answering
            .await
            .unwrap_or_else(|error| Err(failed(format!("a request was not answered: {error}"))))
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

    /// The kind whose resources have this type.
    pub(crate) fn kind(&self, resource_type: &str) -> Option<&dyn Kind> {
        let mut kinds = self.kinds.iter();
        let found = kinds.find(|kind| kind.name().eq_ignore_ascii_case(resource_type));
        found.map(|kind| &**kind)
    }

    /// A resource.
    pub(crate) async fn document(&self, id: &ResourceId) -> Result<Option<Document>, ArmError> {
        let key = document::key_of(id).map_err(failed)?;
        if let Some(known) = self.recent.find(&key) {
            let modified = self.store.modified(&key).await.map_err(failed)?;
            if modified == Some(known.revision) {
                return Ok(Some(known));
            }
        }
        let entry = self.store.get(&key).await.map_err(failed)?;
        let read = |entry| self.recent.read(entry).map_err(failed);
        entry.as_ref().map(read).transpose()
    }

    /// Takes note of a resource as it was stored. Writes that were judged before are judged anew,
    /// unless it is a record: nothing relies on one.
    pub(crate) fn note(&self, document: &Document) {
        self.keep(document);
        self.inventory.put(document);
        if !is_record(&document.id.resource_type()) {
            self.edits.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Takes note of a resource that is gone at once; writes that were judged before are judged
    /// anew.
    pub(crate) fn forget(&self, id: &ResourceId) {
        self.inventory.remove(id);
        self.edits.fetch_add(1, Ordering::AcqRel);
    }

    /// What tells, once it is another one, that a write was noted meanwhile.
    pub(crate) fn edits(&self) -> u64 {
        self.edits.load(Ordering::Acquire)
    }

    /// As [`Core::note`], where an operation's end has changed states alone since the step
    /// `before`.
    pub(crate) fn note_end(&self, document: &Document, before: Revision) {
        self.keep(document);
        self.inventory.put_end(document, before);
    }

    /// The node hears of a step at the same moment, and looks here first.
    fn keep(&self, document: &Document) {
        if let Ok(key) = document::key_of(&document.id) {
            self.recent.put(key, document);
        }
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

/// A request that may be answered: by whom, to whom.
pub(crate) struct Admitted {
    handler: Handler,
    captures: Captures,
    caller: Caller,
    api_version: ApiVersion,
    /// Whether everyone may call it.
    pub(crate) is_public: bool,
}

fn nothing_here(request: &Request) -> ArmError {
    match resource_type(&request.segments) {
        Some((namespace, kind)) => ArmError::front_door(
            "InvalidResourceType",
            format!(
                "The resource type '{kind}' could not be found in the namespace '{namespace}' for \
                 api version '{}'. It is not part of this control plane.",
                request.query.get("api-version").unwrap_or_default()
            ),
        ),
        None => ArmError::front_door(
            "NotFound",
            "There is nothing at this path of the control plane.",
        ),
    }
}

/// The namespace and the type that a path leads to: of a resource, or of all of them.
fn resource_type(segments: &[String]) -> Option<(&str, String)> {
    let is_word = |one: &String| one.eq_ignore_ascii_case("providers");
    let at = segments.iter().rposition(is_word)?;
    let (namespace, path) = segments.get(at + 1..)?.split_first()?;
    let kinds: Vec<&str> = path.iter().step_by(2).map(String::as_str).collect();
    (!kinds.is_empty()).then(|| (namespace.as_str(), kinds.join("/")))
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

/// The status of an answer to a write.
pub(crate) fn written(is_new: bool) -> StatusCode {
    match is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    }
}
