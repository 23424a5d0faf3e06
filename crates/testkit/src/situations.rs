//! The backends that operators know from their nights on call: one for each thing that a health
//! probe finds wrong, ready to be started.
//!
//! ```
//! use gatewright_testkit::client::get;
//! use gatewright_testkit::situations::{Situation, Surroundings};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let around = Surroundings::new("app.contoso.test");
//! let backend = Situation::NotFound.backend(&around).start().await.expect("a port is free");
//! let answer = get(backend.address(), &around.host, "/").await.expect("an answer");
//! assert_eq!((backend.name(), answer.status), ("not-found", 404));
//! # }
//! ```

use crate::backend::{ALERT_PROTOCOL_VERSION, Backend, Builder, Manners, TlsAccident, TlsManners};
use crate::certificates::{Authority, Identity, Leaf, Validity};
use std::time::Duration;

/// The body of a backend that is well.
pub const GOOD_BODY: &str = "well\n";
/// How many bytes of its answer [`Situation::ResetMidAnswer`] sends, of [`PROMISED`].
const SENT: usize = 100;
/// The Content-Length of [`Situation::ResetMidAnswer`].
const PROMISED: u64 = 1_000;

/// What is wrong with a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Situation {
    /// Nobody listens on the port.
    Refused,
    /// Packets to the port vanish: a connect neither succeeds nor fails.
    BlackHole,
    /// It answers well, but after [`Surroundings::slowness`].
    Slow,
    /// It reads the request and never answers.
    Silent,
    /// It answers 404.
    NotFound,
    /// It answers 401, and asks for a password.
    Unauthorized,
    /// It answers 500.
    ServerError,
    /// It answers 200 with a page that does not hold [`GOOD_BODY`].
    WrongBody,
    /// TLS: its certificate is good, for another name.
    WrongName,
    /// TLS: its certificate has expired.
    Expired,
    /// TLS: it sends its certificate without the intermediate that signed it.
    MissingIntermediate,
    /// TLS: its chain, root included, is complete, and of an authority that nobody knows.
    PrivateAuthority,
    /// TLS: its certificate is signed by its own key.
    SelfSigned,
    /// TLS: its chain begins with the root and ends with the leaf.
    OutOfOrder,
    /// TLS: it knows TLS 1.1 and nothing newer.
    OnlyTls11,
    /// What it answers is no HTTP.
    Garbage,
    /// The connection is reset in the middle of its answer.
    ResetMidAnswer,
}

/// What the backends of a demonstration or a test have in common.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The root that the gateway is to trust.
    pub root: Authority,
    /// The intermediate under it that signs the leaves.
    pub issuing: Authority,
    /// The name that the gateway asks for.
    pub host: String,
    /// How long [`Situation::Slow`] takes: longer than the gateway waits.
    pub slowness: Duration,
}

impl Surroundings {
    /// A new root and intermediate, and a slowness of a minute.
    pub fn new(host: &str) -> Self {
        let root = Authority::new("Contoso Root CA");
        Self {
            issuing: root.intermediate("Contoso Issuing CA"),
            root,
            host: host.to_owned(),
            slowness: Duration::from_secs(60),
        }
    }

    /// An identity for [`Surroundings::host`] with which nothing is wrong.
    pub fn good_identity(&self) -> Identity {
        self.issuing.issue(self.leaf())
    }

    fn leaf(&self) -> Leaf {
        Leaf::named(&self.host)
    }
}

impl Situation {
    /// All of them, in the order in which a probe would find them out.
    pub const ALL: [Self; 17] = [
        Self::Refused,
        Self::BlackHole,
        Self::OnlyTls11,
        Self::WrongName,
        Self::Expired,
        Self::MissingIntermediate,
        Self::PrivateAuthority,
        Self::SelfSigned,
        Self::OutOfOrder,
        Self::Slow,
        Self::Silent,
        Self::Garbage,
        Self::ResetMidAnswer,
        Self::NotFound,
        Self::Unauthorized,
        Self::ServerError,
        Self::WrongBody,
    ];

    /// Its name: lower-case words with hyphens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::BlackHole => "black-hole",
            Self::Slow => "slow",
            Self::Silent => "silent",
            Self::NotFound => "not-found",
            Self::Unauthorized => "unauthorized",
            Self::ServerError => "server-error",
            Self::WrongBody => "wrong-body",
            Self::WrongName => "wrong-name",
            Self::Expired => "expired",
            Self::MissingIntermediate => "missing-intermediate",
            Self::PrivateAuthority => "private-authority",
            Self::SelfSigned => "self-signed",
            Self::OutOfOrder => "out-of-order",
            Self::OnlyTls11 => "only-tls-1.1",
            Self::Garbage => "garbage",
            Self::ResetMidAnswer => "reset-mid-answer",
        }
    }

    /// Whether it is to be met behind TLS. The others are in plain HTTP.
    pub fn is_tls(self) -> bool {
        matches!(
            self,
            Self::WrongName
                | Self::Expired
                | Self::MissingIntermediate
                | Self::PrivateAuthority
                | Self::SelfSigned
                | Self::OutOfOrder
                | Self::OnlyTls11
        )
    }

    /// A backend in this situation, named after it.
    pub fn backend(self, around: &Surroundings) -> Builder {
        let backend = Backend::with(self.manners(around)).named(self.name());
        match self.tls(around) {
            Some(tls) => backend.tls(tls),
            None => backend,
        }
    }

    fn manners(self, around: &Surroundings) -> Manners {
        let good = Manners::text(GOOD_BODY);
        match self {
            Self::Refused => Manners::Refused,
            Self::BlackHole => Manners::SynBlackHole,
            Self::Slow => Manners::slow(around.slowness, good),
            Self::Silent => Manners::BlackHole,
            Self::NotFound => Manners::Status(404),
            Self::Unauthorized => Manners::Fixed {
                status: 401,
                headers: vec![(
                    "WWW-Authenticate".to_owned(),
                    "Basic realm=\"staff\"".to_owned(),
                )],
                body: b"Who are you?\n".to_vec(),
            },
            Self::ServerError => Manners::Status(500),
            Self::WrongBody => Manners::wrong_body(),
            Self::Garbage => Manners::Garbage,
            Self::ResetMidAnswer => Manners::ResetMidAnswer {
                sent: SENT,
                promised: Some(PROMISED),
            },
            // All is well behind their TLS.
            Self::WrongName
            | Self::Expired
            | Self::MissingIntermediate
            | Self::PrivateAuthority
            | Self::SelfSigned
            | Self::OutOfOrder
            | Self::OnlyTls11 => good,
        }
    }

    fn tls(self, around: &Surroundings) -> Option<TlsManners> {
        let issuing = &around.issuing;
        let good = || around.good_identity();
        let identity = match self {
            Self::WrongName => issuing.issue(Leaf::named(&format!("not-{}", around.host))),
            Self::Expired => issuing.issue(around.leaf().valid(Validity::expired())),
            Self::MissingIntermediate => good().without_intermediates(),
            Self::PrivateAuthority => {
                let stranger = Authority::new("Somebody's Root CA");
                let issuing = stranger.intermediate("Somebody's Issuing CA");
                issuing.issue(around.leaf()).with_root(&stranger)
            }
            Self::SelfSigned => around.leaf().self_signed(),
            Self::OutOfOrder => good().with_root(&around.root).out_of_order(),
            Self::OnlyTls11 => {
                let accident = TlsAccident::Alert(ALERT_PROTOCOL_VERSION);
                return Some(TlsManners::failing(accident));
            }
            _ => return None,
        };
        Some(TlsManners::new(identity))
    }
}
