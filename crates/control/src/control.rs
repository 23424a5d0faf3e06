//! The control plane from the outside: started, asked for principals, stopped.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use gatewright_arm::ResourceId;
use gatewright_store::{CommitError, StoreError, Transaction};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::app_service::AppService;
use crate::clock;
use crate::config::ControlConfig;
use crate::core::Core;
use crate::front::limits::Limits;
use crate::front::server;
use crate::housekeeping;
use crate::identity::{
    self, Assignment, Caller, Identity, NewPrincipal, PRINCIPAL_PREFIX, Principal, Role,
};
use crate::keys::{AUTHORITY, authority, token_key};
use crate::node::Node;
use crate::operations::{self, Doing, Operation, Status};
use crate::pki::{self, Presented};
use crate::providers::resume_deployment;
use crate::resources::document::{self, Document};
use crate::storage::Storage;

/// Longest name of a principal that is taken, in characters.
const NAME_CHARACTERS_MAX: usize = 120;

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the control plane cannot listen on {0}: {1}")]
    Bind(SocketAddr, io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the control plane's keys cannot be made: {0}")]
    Keys(String),
    #[error("the certificate of the control plane's authority cannot be written to {0}: {1}")]
    CaFile(String, io::Error),
}

/// A control plane that serves.
pub struct Control {
    core: Arc<Core>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    has_ended: watch::Receiver<bool>,
    bootstrap: Option<NewPrincipal>,
}

impl Control {
    /// Reads what is stored, makes what a first start needs (an authority, a key for tokens, a
    /// principal that owns the subscription), goes on with operations that had not ended, and
    /// listens. Must be called within a multi-thread runtime.
    ///
    /// # Errors
    /// When the store cannot be read or written, or the address cannot be listened on.
    pub async fn start(
        config: ControlConfig,
        app_service: Option<AppService>,
        storage: Storage,
        node: Arc<dyn Node>,
    ) -> Result<Self, StartError> {
        Self::start_within(Limits::default(), config, app_service, storage, node).await
    }

    /// As [`Control::start`], within other bounds than those it serves with.
    ///
    /// # Errors
    /// As there.
    #[doc(hidden)]
    pub async fn start_within(
        limits: Limits,
        config: ControlConfig,
        app_service: Option<AppService>,
        storage: Storage,
        node: Arc<dyn Node>,
    ) -> Result<Self, StartError> {
        let bind = |error| StartError::Bind(config.listen, error);
        let listener = TcpListener::bind(config.listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let names = pki::names(&config.names);
        let authorities = pki::authorities(&names, address.port());
        let (store, sealing) = (storage.store(), &*storage.sealing);
        let authority = authority(store, sealing, (AUTHORITY, &names)).await?;
        tell_authority(&config.ca_file, &authority.certificate)
            .map_err(|error| StartError::CaFile(config.ca_file.display().to_string(), error))?;
        let presented = Presented::new(authority, names, clock::now()).map_err(StartError::Keys)?;
        let tokens = token_key(store, sealing, &config.tenant, &authorities).await?;
        let identity = Identity::new(tokens, Vec::new());
        let core = Arc::new(Core::new(
            config,
            limits,
            authorities,
            storage,
            identity,
            node,
        ));
        core.load().await?;
        let bootstrap = core.bootstrap().await?;
        core.resume().await?;
        let (stop, stopped) = watch::channel(false);
        let acceptor = TlsAcceptor::from(presented.server_config());
        let mut all = vec![presented];
        all.extend(app_service.map(|apps| apps.serve(&core, stopped.clone())));
        let keeping = housekeeping::run(Arc::clone(&core), all, stopped.clone());
        tokio::spawn(keeping);
        let serving = server::serve(listener, acceptor, Arc::clone(&core), stopped);
        let (ended, has_ended) = watch::channel(false);
        tokio::spawn(async move {
            serving.await;
            ended.send_replace(true);
        });
        Ok(Self {
            core,
            address,
            stop,
            has_ended,
            bootstrap,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The principal that a first start made, once, with its secret.
    pub fn take_bootstrap(&mut self) -> Option<NewPrincipal> {
        self.bootstrap.take()
    }

    /// Makes a principal. An empty scope is the subscription.
    ///
    /// # Errors
    /// When the scope is none, or the store cannot be written; in a sentence.
    pub async fn create_principal(
        &self,
        name: &str,
        role: Role,
        scope: &str,
    ) -> Result<NewPrincipal, String> {
        let own = format!("/subscriptions/{}", self.core.config.subscription);
        let scope = match scope.is_empty() {
            true => own.clone(),
            false => scope.trim_end_matches('/').to_owned(),
        };
        let id = ResourceId::parse(&scope).map_err(|error| {
            format!("'{scope}' is no scope: {error}; give the id of a group or a resource")
        })?;
        let subscription = id.subscription().unwrap_or_default();
        if !subscription.eq_ignore_ascii_case(&self.core.config.subscription) {
            return Err(format!("'{scope}' is not in the subscription {own}"));
        }
        let assignments = vec![Assignment { role, scope }];
        self.core
            .create_principal(name, assignments)
            .await
            .map_err(|error| error.to_string())
    }

    /// All principals, the oldest first.
    pub fn principals(&self) -> Vec<Arc<Principal>> {
        self.core.identity.principals()
    }

    /// Takes a principal away; its tokens are good for nothing from now on. Whether there was one.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn revoke_principal(&self, app_id: &str) -> Result<bool, StoreError> {
        let Some(principal) = self.core.identity.principal(app_id) else {
            return Ok(false);
        };
        let transaction = Transaction::default().delete(principal.key()?);
        match self.core.commit(transaction).await {
            Ok(_) => {}
            Err(CommitError::Store(error)) => return Err(error),
            Err(CommitError::Conflict(_)) => return Ok(false),
        }
        self.core.identity.remove(app_id);
        Ok(true)
    }

    /// Takes no connection any more, and lets those that are there finish their request.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits, once it was told to stop, until every request in progress has its answer: some
    /// seconds at most, then the rest is cut. Operations that go on are gone on with at the next
    /// start.
    pub async fn stopped(&self) {
        // Its sender is gone: the same.
        let _ = self.has_ended.clone().wait_for(|ended| *ended).await;
    }
}

/// Writes the certificate that clients trust, where it is not there already: whole or not at all.
fn tell_authority(path: &Path, certificate: &str) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|there| there == certificate.as_bytes()) {
        return Ok(());
    }
    let beside = path.with_extension("new");
    std::fs::write(&beside, certificate)?;
    std::fs::rename(&beside, path)
}

impl Core {
    async fn load(&self) -> Result<(), StoreError> {
        for entry in self.entries(&format!("{}/", document::PREFIX)).await? {
            self.inventory.put(&Document::read(&entry)?);
        }
        for entry in self.entries(PRINCIPAL_PREFIX).await? {
            self.identity.put(Principal::read(&entry)?);
        }
        Ok(())
    }

    /// The first principal, where there is none.
    async fn bootstrap(&self) -> Result<Option<NewPrincipal>, StartError> {
        if !self.identity.principals().is_empty() {
            return Ok(None);
        }
        let assignment = Assignment {
            role: Role::Owner,
            scope: format!("/subscriptions/{}", self.config.subscription),
        };
        let made = self.create_principal("bootstrap", vec![assignment]).await?;
        Ok(Some(made))
    }

    async fn create_principal(
        &self,
        name: &str,
        assignments: Vec<Assignment>,
    ) -> Result<NewPrincipal, StartError> {
        let no_randomness = || StartError::Keys("the system has no randomness to give".to_owned());
        let password = identity::new_secret().ok_or_else(no_randomness)?;
        let secret = password.clone();
        let hash = tokio::task::spawn_blocking(move || identity::hash(&secret)).await;
        let hash = hash.ok().flatten().ok_or_else(no_randomness)?;
        let name: String = name.chars().take(NAME_CHARACTERS_MAX).collect();
        let principal = Principal::new(&name, assignments, hash);
        let key = principal.key()?;
        let transaction = Transaction::default().put(key, principal.to_bytes());
        match self.commit(transaction).await {
            Ok(_) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
            Err(conflict) => return Err(StartError::Keys(conflict.to_string())),
        }
        self.identity.put(principal.clone());
        Ok(NewPrincipal {
            principal,
            password,
        })
    }

    /// Goes on with what had not ended when the process did.
    async fn resume(self: &Arc<Self>) -> Result<(), StoreError> {
        for entry in self.entries(operations::PREFIX).await? {
            let operation = Operation::read(&entry)?;
            if operation.status == Status::InProgress {
                self.resume_one(operation).await?;
            }
        }
        Ok(())
    }

    async fn resume_one(self: &Arc<Self>, operation: Operation) -> Result<(), StoreError> {
        tracing::info!("going on with {} ({})", operation.name(), operation.id);
        self.endings.begin(operation.id);
        let id = ResourceId::parse(&operation.resource)
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let entry = self.store.get(&document::key_of(&id)?).await?;
        let document = entry.as_ref().map(Document::read).transpose()?;
        match (operation.doing, document) {
            (Doing::Delete, Some(_)) if id.name().is_none() => {
                let caller = self.identity.principal(&operation.caller);
                let call = operation.resumed(caller.map_or_else(Caller::nobody, Caller::of));
                tokio::spawn(Arc::clone(self).empty_group(call, operation));
            }
            (Doing::Deploy, Some(document)) => {
                tokio::spawn(resume_deployment(Arc::clone(self), document, operation));
            }
            (Doing::Put | Doing::Start | Doing::Stop | Doing::Delete, Some(document)) => {
                let doomed = document.doomed(&operation);
                tokio::spawn(Arc::clone(self).settle(document, operation, doomed));
            }
            // It is gone, as it was to be.
            (Doing::Delete, None) => {
                tokio::spawn(Arc::clone(self).end(operation, Ok(())));
            }
            (_, document) => {
                let document =
                    document.unwrap_or_else(|| Document::new(id, serde_json::Value::Null));
                let error = gatewright_arm::ArmError::new(
                    "OperationInterrupted",
                    "The control plane was restarted while the operation ran; start it again.",
                );
                tokio::spawn(Arc::clone(self).settle(document, operation, Some(error)));
            }
        }
        Ok(())
    }
}
