//! The control plane of a node: its folder, and what other commands of this machine need to reach
//! it.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatewright_control::{
    AppService, Control, ControlConfig, DEFAULT_SUBSCRIPTION, DEFAULT_TENANT, Storage,
};
use gatewright_store::{Embedded, KeySources, Options, Store};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::client::{self, OK, Question};
use crate::node::Node;
use crate::output;
use crate::sentence::Sentence;
use crate::settings::{AdminAddress, ControlSettings};
use crate::stored::{Served, Stored};

/// The file in the data folder that tells where its node is.
const NODE_FILE: &str = "node.json";

/// The certificate that clients trust.
const CA_FILE: &str = "ca.crt";

/// Where web apps answer: gateways of this node alone go there.
const APP_SERVICE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Random bytes of the key for the admin API.
const ADMIN_KEY_BYTES: usize = 32;

/// Largest node file, in bytes.
const NODE_FILE_BYTES_MAX: u64 = 64 * 1024;

/// What other commands read about the node that has a data folder. Only its owner can read it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NodeFile {
    pub(crate) process: u32,
    /// Where the control plane listens.
    pub(crate) control: SocketAddr,
    /// Where the admin API listens; absent where it does not.
    pub(crate) admin: Option<SocketAddr>,
    /// What a request that makes or takes principals must carry.
    pub(crate) admin_key: String,
    pub(crate) ca_file: PathBuf,
    pub(crate) tenant: String,
    pub(crate) subscription: String,
}

/// What the admin API needs of a control plane.
pub(crate) struct Operators {
    pub(crate) control: Control,
    pub(crate) store: Arc<Embedded>,
    /// What requests must carry: whoever can read the node file may do everything.
    pub(crate) admin_key: Zeroizing<String>,
}

/// A store that was opened, for a control plane that is about to start.
pub(crate) struct ControlPlane {
    settings: ControlSettings,
    store: Arc<Embedded>,
    storage: Storage,
    apps: AppService,
    served: Served,
}

impl ControlPlane {
    /// Opens the data folder that the node's settings name, and has the node serve what is stored
    /// there.
    ///
    /// # Errors
    /// When the folder cannot be used, another process has it, or what is in it cannot be read.
    pub(crate) async fn open(node: &mut Node) -> Result<Option<Self>, Sentence> {
        let Some(settings) = node.settings().control.clone() else {
            return Ok(None);
        };
        let sources =
            KeySources::from_environment().map_err(|error| Sentence::new(error.to_string()))?;
        let opened = Embedded::open_sealed(&settings.data_dir, Options::default(), &sources);
        let (store, sealing) = opened.map_err(|error| Sentence::new(error.to_string()))?;
        let store = Arc::new(store);
        let shared: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
        let storage = Storage::new(shared, Arc::new(sealing));
        let apps = AppService::bind(APP_SERVICE, &storage).await;
        let apps = apps.map_err(|error| Sentence::new(error.to_string()))?;
        gatewright_dataplane::trust_as_well_known(apps.authority()).map_err(|why| {
            Sentence::new(format!(
                "the authority of App Service is not trusted: {why}"
            ))
        })?;
        let stored = Stored::open(storage.clone(), apps.address()).await?;
        let served = node.follow(stored);
        Ok(Some(Self {
            settings,
            store,
            storage,
            apps,
            served,
        }))
    }

    /// Starts the control plane, tells the first principal's secret, and writes what other commands
    /// need.
    ///
    /// # Errors
    /// When it cannot listen, or the folder cannot be written.
    pub(crate) async fn start(self, node: &mut Node) -> Result<SocketAddr, Sentence> {
        let folder = fs::canonicalize(&self.settings.data_dir)
            .unwrap_or_else(|_| self.settings.data_dir.clone());
        let config = ControlConfig {
            listen: self.settings.listen,
            names: self.settings.names.clone(),
            subscription: DEFAULT_SUBSCRIPTION.to_owned(),
            subscription_name: "Gatewright".to_owned(),
            tenant: DEFAULT_TENANT.to_owned(),
            public_addresses: self.settings.public_addresses,
            ca_file: folder.join(CA_FILE),
        };
        let ca_file = config.ca_file.clone();
        let served = Arc::new(self.served);
        let started = Control::start(config, Some(self.apps), self.storage, served).await;
        let mut control = started.map_err(|error| cannot_start(&error, self.settings.listen))?;
        let address = control.address();
        if let Some(made) = control.take_bootstrap() {
            tell_bootstrap(&made);
        }
        let admin_key = random_text()?;
        let file = NodeFile {
            process: std::process::id(),
            control: address,
            admin: node.admin,
            admin_key: admin_key.to_string(),
            ca_file,
            tenant: DEFAULT_TENANT.to_owned(),
            subscription: DEFAULT_SUBSCRIPTION.to_owned(),
        };
        // What is stored is served all the same, with a disk that is full, say.
        if let Err(why) = file.write(&folder) {
            tracing::error!("{why}; commands such as `gatewright az-setup` do not find this node");
        }
        node.control(Operators {
            control,
            store: self.store,
            admin_key,
        });
        Ok(address)
    }
}

fn cannot_start(error: &gatewright_control::StartError, listen: SocketAddr) -> Sentence {
    match error {
        gatewright_control::StartError::Bind(..) => Sentence::new(format!(
            "{error}; give another address with --control, such as 127.0.0.1:{}",
            listen.port().saturating_add(1)
        )),
        error => Sentence::new(error.to_string()),
    }
}

/// The only time that it is told; afterwards only its hash is there.
fn tell_bootstrap(made: &gatewright_control::NewPrincipal) {
    let app_id = &made.principal.app_id;
    output::remark(format_args!(
        "the first start has made a service principal that owns the subscription; its secret is \
         told this once\n  appId     {app_id}\n  password  {}\n  tenant    {DEFAULT_TENANT}",
        *made.password
    ));
}

impl NodeFile {
    /// Where a node's admin API is: as it is said, or as the node told in its data folder.
    ///
    /// # Errors
    /// When the folder has no node.
    pub(crate) fn admin_address(
        said: Option<AdminAddress>,
        folder: Option<&Path>,
    ) -> Result<Option<AdminAddress>, Sentence> {
        match (said, folder) {
            (None, Some(folder)) => Ok(Self::read(folder)?.admin.map(AdminAddress::At)),
            (said, _) => Ok(said),
        }
    }

    /// Asks the node, as the owner of its data folder, and answers what it does when all is well.
    ///
    /// # Errors
    /// When the node cannot be reached, or refuses.
    pub(crate) fn ask(&self, question: Question<'_>) -> Result<Value, Sentence> {
        let Some(admin) = self.admin else {
            return Err(Sentence::new(
                "the node has no admin address; start it without --admin none",
            ));
        };
        let answer = client::ask_with_key(admin, question, &self.admin_key);
        let answer = answer.map_err(|why| {
            Sentence::new(format!(
                "the node that was last started in this data folder does not answer: {why}; start \
                 it again with `gatewright serve --data-dir DIR`"
            ))
        })?;
        if answer.status == OK {
            return Ok(answer.body);
        }
        let why = answer.body.get("error").and_then(Value::as_str);
        Err(Sentence::new(why.unwrap_or("the node refuses").to_owned()))
    }

    /// Reads the file in `folder`.
    ///
    /// # Errors
    /// When there is none that can be read, with the way out.
    pub(crate) fn read(folder: &Path) -> Result<Self, Sentence> {
        let path = folder.join(NODE_FILE);
        let forbidden = |error: &std::io::Error| {
            Sentence::new(format!(
                "{} cannot be read ({error}); run this as the user whose node it is",
                path.display()
            ))
        };
        let cannot = |why: String| {
            Sentence::new(format!(
                "no node has told where it is in {} ({why}); start one with `gatewright serve \
                 --data-dir {}`, or name its folder with --data-dir",
                path.display(),
                folder.display()
            ))
        };
        let size = match fs::metadata(&path) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(forbidden(&error));
            }
            Err(error) => return Err(cannot(error.to_string())),
        };
        if size > NODE_FILE_BYTES_MAX {
            return Err(cannot("the file is too large".to_owned()));
        }
        let text = fs::read(&path).map_err(|error| forbidden(&error))?;
        serde_json::from_slice(&text).map_err(|error| cannot(error.to_string()))
    }

    /// Replaces the file in `folder` at once, readable by its owner alone.
    fn write(&self, folder: &Path) -> Result<(), Sentence> {
        let (path, beside) = (folder.join(NODE_FILE), folder.join("node.json.new"));
        let write = || -> std::io::Result<()> {
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            fs::rename(&beside, &path)
        };
        write().map_err(|error| {
            Sentence::new(format!("{} cannot be written: {error}", path.display()))
        })
    }
}

fn random_text() -> Result<Zeroizing<String>, Sentence> {
    let mut bytes = Zeroizing::new([0u8; ADMIN_KEY_BYTES]);
    fs::File::open("/dev/urandom")
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut *bytes))
        .map_err(|error| Sentence::new(format!("there is no randomness to be had: {error}")))?;
    let text = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Zeroizing::new(text))
}
