//! What the writing of a value depends on.

use crate::model::ProvisioningState;

/// Facts about the gateway that its members are written with.
#[derive(Clone, Debug)]
pub(crate) struct Writer<'a> {
    /// Id of the resource whose members are being written.
    parent: String,
    /// Etag and state of the gateway: each child carries those of its parent.
    etag: Option<&'a str>,
    state: Option<ProvisioningState>,
    edition: Edition,
    secrets: bool,
}

/// Editions of gateways whose answers have different members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edition {
    /// Standard and WAF.
    V1,
    /// Basic: a second generation without what it does not offer.
    Basic,
    V2,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        parent: String,
        etag: Option<&'a str>,
        state: Option<ProvisioningState>,
    ) -> Self {
        Self {
            parent,
            etag,
            state,
            edition: Edition::V2,
            secrets: false,
        }
    }

    pub(crate) fn for_edition(mut self, edition: Edition) -> Self {
        self.edition = edition;
        self
    }

    pub(crate) fn with_secrets(mut self, secrets: bool) -> Self {
        self.secrets = secrets;
        self
    }

    /// The writer for the members of the child with this id.
    pub(crate) fn below(&self, id: &str) -> Self {
        Self {
            parent: id.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn parent(&self) -> &str {
        &self.parent
    }

    pub(crate) fn etag(&self) -> Option<&'a str> {
        self.etag
    }

    pub(crate) fn state(&self) -> Option<ProvisioningState> {
        self.state
    }

    pub(crate) fn edition(&self) -> Edition {
        self.edition
    }

    pub(crate) fn secrets(&self) -> bool {
        self.secrets
    }
}
