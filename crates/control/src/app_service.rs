//! The front of App Service, from its address to where it serves.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::clock;
use crate::control::StartError;
use crate::core::Core;
use crate::keys::{APP_SERVICE_AUTHORITY, authority};
use crate::pki::Presented;
use crate::providers::web::front;
use crate::storage::Storage;

/// The address at which every web app answers, in HTTP and in HTTPS. It listens from the beginning
/// and serves with the control plane.
pub struct AppService {
    listener: TcpListener,
    address: SocketAddr,
    /// PEM.
    authority: String,
    presented: Arc<Presented>,
}

impl AppService {
    /// Listens on `wanted`, a loopback address, for the front knows its clients by nothing else;
    /// port 0 takes a free one. Its authority is made where the store has none yet.
    ///
    /// # Errors
    /// When it cannot listen there, or the store cannot be read or written.
    pub async fn bind(wanted: SocketAddr, storage: &Storage) -> Result<Self, StartError> {
        let bind = |error| StartError::Bind(wanted, error);
        if !wanted.ip().is_loopback() {
            let why = "the web apps are for this machine; give a loopback address";
            return Err(bind(io::Error::new(io::ErrorKind::InvalidInput, why)));
        }
        let listener = TcpListener::bind(wanted).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let names = front::names();
        let of_apps = (APP_SERVICE_AUTHORITY, &*names);
        let authority = authority(storage.store(), &storage.sealing, of_apps).await?;
        Ok(Self {
            listener,
            address,
            authority: authority.certificate.clone(),
            presented: Presented::new(authority, names, clock::now()).map_err(StartError::Keys)?,
        })
    }

    /// Where the names of web apps lead.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate, in PEM, of the authority that vouches for web apps in HTTPS. Gateways are
    /// to trust it, as they trust the public authorities that vouch for the service's apps; nobody
    /// else.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// What it presents, to be kept fresh.
    pub(crate) fn serve(self, core: &Arc<Core>, stopped: watch::Receiver<bool>) -> Arc<Presented> {
        let acceptor = TlsAcceptor::from(self.presented.server_config());
        let serving = front::serve(self.listener, acceptor, Arc::clone(core), stopped);
        tokio::spawn(serving);
        self.presented
    }
}
