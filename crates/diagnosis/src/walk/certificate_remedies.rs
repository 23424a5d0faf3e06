//! What mends a certificate that is not accepted.

use super::Walk;
use super::certificates::{sends_no_name, show_chain};
use super::edits::{Given, Set};
use crate::cause::{Cause, Owner};
use crate::evidence::Chain;
use crate::finding::Fix;
use crate::remedy::{fix, word};
use crate::site::Target;

/// Under which name a root is uploaded that the gateway does not have yet.
const NEW_ROOT: &str = "backend-root";

impl Walk<'_> {
    pub(super) fn mend_certificate(&self, cause: Cause, index: usize) -> Vec<Fix> {
        let Some(target) = self.site.targets.get(index) else {
            return Vec::new();
        };
        let expected = self.expected(target);
        let fixes = match cause {
            Cause::SelfSigned if !self.is_authority(target) => vec![replace_self_signed(&expected)],
            Cause::TrustedRootNotAttached => vec![self.attach_root(target)],
            Cause::MissingTrustedRoot
            | Cause::RootMismatch
            | Cause::RootNotACa
            | Cause::SelfSigned => vec![self.upload_root(target, &expected)],
            // Of the first generation, no host but the pool's comes into the handshake.
            Cause::NoSni
                if self.evidence.gateway.is_v1()
                    && let Some(rename) = self.name_in_pool(target) =>
            {
                vec![rename]
            }
            Cause::CnSanMismatch | Cause::NoSni => self.mend_name(target, &expected),
            Cause::IncompleteChain | Cause::ChainOrder => {
                vec![send_whole(target, &expected, self.presented_to(target))]
            }
            Cause::AppServiceNoTlsBinding => vec![self.bind(&expected)],
            Cause::V1PinnedCertRotated => vec![self.pin(target)],
            Cause::V1SniIsPoolFqdn => {
                let rename = self.name_in_pool(target);
                rename.into_iter().chain([self.pin(target)]).collect()
            }
            Cause::NotYetValid => {
                let summary = "Wait until it is valid, or have one issued that is; see that the \
                               clock of the authority is right.";
                vec![fix(Owner::Certificate, summary).run(show_chain(target, &expected))]
            }
            Cause::Expired if let Some(root) = self.expired_root(target) => {
                vec![self.renew_root(&root.name)]
            }
            Cause::Expired => {
                let summary = "Renew the certificate and have the server load it.";
                let renew = fix(Owner::Certificate, summary).run(show_chain(target, &expected));
                // A renewed one may have another key.
                let is_pinned = self.evidence.gateway.is_v1();
                let pin = is_pinned.then(|| self.pin(target));
                [renew].into_iter().chain(pin).collect()
            }
            _ => {
                let summary = "See what the server presents.";
                vec![fix(Owner::Certificate, summary).run(show_chain(target, &expected))]
            }
        };
        let verified = |fix: Fix| fix.verified_by(self.commands.verify_health());
        fixes.into_iter().map(verified).collect()
    }

    /// Whether the server's own certificate says that it may sign others.
    fn is_authority(&self, target: &Target<'_>) -> bool {
        let leaf = self.presented_to(target).and_then(Chain::leaf);
        leaf.is_none_or(gatewright_chain::Certificate::is_authority)
    }

    pub(super) fn upload_root(&self, target: &Target<'_>, expected: &str) -> Fix {
        let mut names = self.attached(target);
        let name = self.free_name("trustedRootCertificates", NEW_ROOT);
        names.push(&name);
        let host = target.live_host().is_none() && !sends_no_name(expected);
        let host = host.then(|| Set::text("--host-name", "hostName", expected));
        let sets: Vec<Set> = [trusted(&names)].into_iter().chain(host).collect();
        let last = self
            .presented_to(target)
            .and_then(|chain| chain.readable().last());
        let root = last.map(|last| format!(" ({})", last.issuer()));
        let summary = format!(
            "Upload the root that the server's certificate leads to{}, and have the setting trust \
             it.",
            root.unwrap_or_default()
        );
        fix(Owner::Gateway, summary)
            .run(
                self.commands
                    .part("root-cert create", &name, "--cert-file root.cer"),
            )
            .edit(self.update_setting(target.setting, &sets))
    }

    fn renew_root(&self, name: &str) -> Fix {
        let summary = "Have the authority renew its root with the same key, and upload it in place \
                       of the old one.";
        let update = self
            .commands
            .part("root-cert update", name, "--cert-file root.cer");
        fix(Owner::Gateway, summary).run(update)
    }

    fn attach_root(&self, target: &Target<'_>) -> Fix {
        let roots = &self.evidence.gateway.properties.trusted_root_certificates;
        let fitting = self.unattached(target).map(|one| one.name.as_str());
        let mut names = self.attached(target);
        names.extend(fitting.or_else(|| roots.first().map(|one| one.name.as_str())));
        fix(Owner::Gateway, "Have the setting refer to the root.")
            .edit(self.update_setting(target.setting, &[trusted(&names)]))
    }

    fn mend_name(&self, target: &Target<'_>, expected: &str) -> Vec<Fix> {
        let leaf = self.presented_to(target).and_then(Chain::leaf);
        let names = leaf.map(|leaf| leaf.names().served()).unwrap_or_default();
        let summary = format!("Give the server a certificate with {expected} among its names.");
        let mut issue = fix(Owner::Certificate, summary);
        if !sends_no_name(expected) {
            issue = issue.run(format!(
                "openssl req -new -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj \
                 {} -addext {}",
                word(&format!("/CN={expected}")),
                word(&format!("subjectAltName=DNS:{expected}"))
            ));
        }
        let known = names.iter().find(|name| !name.starts_with('*'));
        // An address is rarely a name of a certificate's.
        let is_first = known.is_some() && sends_no_name(expected);
        let mut fixes = if is_first { Vec::new() } else { vec![issue] };
        if let Some(name) = known {
            let ask = if is_first { "Ask" } else { "Or ask" };
            let summary = format!("{ask} for a name that is in the certificate, such as {name}.");
            let mut ask = fix(Owner::Gateway, summary)
                .edit(self.update_setting(
                    target.setting,
                    &[Set::text("--host-name", "hostName", name)],
                ))
                .risking("The server gets that name as the host of every request.");
            // A probe with a host of its own goes on to ask for that.
            let own = target.probe.filter(|probe| {
                let host = probe.properties.host.as_deref();
                host.is_some_and(|host| !host.is_empty())
            });
            if let Some(probe) = own {
                ask = ask.edit(self.update_probe(probe, &[Set::text("--host", "host", name)]));
            }
            fixes.push(ask);
        }
        fixes
    }

    /// The first generation asks for the name in the pool: the one that the site has.
    fn name_in_pool(&self, target: &Target<'_>) -> Option<Fix> {
        let own = &target.row.address;
        let setting = target
            .setting
            .and_then(|one| one.properties.host_name.clone());
        let probe = target.probe.and_then(|one| one.properties.host.clone());
        let name = setting
            .or(probe)
            .filter(|name| !name.is_empty() && name != own)?;
        let pool = target.pool?;
        let members = pool.properties.backend_addresses.iter();
        let members = members.filter_map(|one| one.fqdn.clone().or_else(|| one.ip_address.clone()));
        let servers = members.map(|one| match one == *own {
            true => name.clone(),
            false => one,
        });
        let summary = format!(
            "Have the pool call the server {name}, where that name resolves to it: a v1 gateway \
             asks for the name in the pool."
        );
        Some(fix(Owner::Gateway, summary).edit(self.set_servers(pool, servers.collect())))
    }

    fn bind(&self, expected: &str) -> Fix {
        let mut apps = self.evidence.web_apps.iter();
        let app = apps.find(|app| app.lacks_certificate_for(expected));
        let (group, name) = self.named_in_commands(app);
        let summary = format!("Bind a certificate for {expected} to the App Service.");
        fix(Owner::Backend, summary).run(format!(
            "az webapp config ssl bind -g {group} -n {name} --certificate-thumbprint THUMBPRINT \
             --ssl-type SNI --hostname {}",
            word(expected)
        ))
    }

    fn pin(&self, target: &Target<'_>) -> Fix {
        let summary = "Upload the certificate that the server presents now.";
        let upload = fix(Owner::Gateway, summary);
        // Both are good until the old one is gone everywhere.
        let name = self.free_name("authenticationCertificates", "backend-new");
        let mut names: Vec<String> = self
            .attached(target)
            .into_iter()
            .map(str::to_owned)
            .collect();
        names.push(name.clone());
        let refer = Given::Parts("authenticationCertificates", names);
        let refer = Set::of("--auth-certs", "authenticationCertificates", refer);
        upload
            .run(
                self.commands
                    .part("auth-cert create", &name, "--cert-file server.cer"),
            )
            .edit(self.update_setting(target.setting, &[refer]))
    }
}

/// Has a setting trust these roots.
fn trusted(names: &[&str]) -> Set {
    let collection = "trustedRootCertificates";
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Set::of("--root-certs", collection, Given::Parts(collection, names))
}

/// A certificate that signs itself and is no authority can be trusted by nobody.
fn replace_self_signed(expected: &str) -> Fix {
    let summary = format!(
        "Make a small authority of your own, have it sign a certificate for {expected}, and upload \
         its root; or take a certificate of a public authority."
    );
    fix(Owner::Certificate, summary)
}

/// Names the certificate that is missing, where what is sent says who signed it.
fn send_whole(target: &Target<'_>, expected: &str, sent: Option<&Chain>) -> Fix {
    let sent = || sent.into_iter().flat_map(Chain::readable);
    let signer = sent().next().map(|own| own.issuer());
    // The root at the end need not be sent.
    let missing = signer.filter(|name| sent().all(|one| one.subject() != *name));
    let then = match missing {
        Some(name) => format!("then the intermediate ones, that of {name} among them"),
        None => "then the intermediate ones".to_owned(),
    };
    let summary = format!(
        "Have {} send its certificate, {then}, in this order.",
        target.row.address
    );
    fix(Owner::Certificate, summary)
        .run("cat server.crt intermediate.crt > fullchain.pem   # nginx: ssl_certificate")
        .run(show_chain(target, expected))
}
