//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use gatewright_control::PublicAddresses;
use gatewright_diagnosis::{Cause, Suppression};

use crate::commands::explain;
use crate::commands::mcp::McpArguments;
use crate::control_plane::NodeFile;
use crate::maps::MapRule;
use crate::output::Format;
use crate::sentence::Sentence;
use crate::settings::{AdminAddress, BindRule, CertificateFile, NameServer, OutputPath};

/// An application gateway that runs anywhere, speaks the Azure Application Gateway API, and tells
/// you why a request failed.
#[derive(Debug, Parser)]
#[command(name = "gatewright", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// What is logged to standard error: error, warn, info, debug, or a filter per module
    #[arg(
        long,
        global = true,
        env = "GATEWRIGHT_LOG",
        default_value = "info",
        value_name = "LEVEL"
    )]
    pub(crate) log: String,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve gateways: what `az network application-gateway show -o json` prints, as it is
    Serve(Box<ServeArguments>),
    /// Say what is wrong with gateway files, and serve nothing
    Validate(ValidateArguments),
    /// Make a running node read its files again
    Reload(ReloadArguments),
    /// Show which servers may take traffic, and why the others may not; exit status 1 if one is
    /// not healthy
    Health(HealthArguments),
    /// Collect what az shows of a gateway in trouble and of all around it into a folder for
    /// `diagnose`; changes nothing, and writes no secret; exit status 69 where the gateway cannot
    /// be read
    Collect(CollectArguments),
    /// Name the root cause of what fails at a gateway, by what was exported of it or by what a
    /// running node knows, and the commands that mend it; exit status 0 for none, 1 for a root
    /// cause, 2 where the evidence does not decide, 64 where the command line is wrong, 65 where
    /// the evidence cannot be read
    Diagnose(DiagnoseArguments),
    /// Say what will be unhealthy, unreachable or answered with an error once a gateway is as a
    /// file says, and what that assumes; exit status 0 for nothing, 1 for something, 65 where it
    /// cannot be read
    Predict(PredictArguments),
    /// Tell what is different between two configurations of a gateway, and what the change does to
    /// traffic; exit status 0 for no difference, 1 for one, 64 where the command line is wrong, 65
    /// where a file cannot be read
    Diff(DiffArguments),
    /// Tell what became of one request of a running node: which rule took it, which servers it came
    /// to, what they answered, and why it failed
    Why(WhyArguments),
    /// Answer what an MCP client (Model Context Protocol) asks about a running node or an evidence
    /// folder; changes nothing without --allow-writes
    Mcp(McpArguments),
    /// Tell of a cause that `diagnose` names: how it shows, what decides it, and who mends
    /// it and how; without a cause, list all of them
    Explain(ExplainArguments),
    /// Probe a server once, exactly as a gateway would, without any gateway
    Probe(Box<ProbeArguments>),
    /// Show what a running node serves, since when, and how its files and its log are
    Status(StatusArguments),
    /// Make az, and the Azure SDKs, speak to the control plane of a running node
    AzSetup(AzSetupArguments),
    /// Service principals of the control plane: who may log in, and what they may do
    #[command(subcommand)]
    Sp(SpCommand),
    /// Copy everything that a running control plane stores into one file
    Backup(BackupArguments),
    /// Make a data folder of such a copy
    Restore(RestoreArguments),
    /// Serve an example gateway with backends good and bad, to try things on
    Demo(DemoArguments),
}

#[derive(Debug, Default, Args)]
pub(crate) struct ServeArguments {
    /// A gateway's JSON; may be repeated
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) gateway: Vec<PathBuf>,
    /// A folder for a control plane: the gateways that az, SDKs and templates make are kept there
    /// and served
    #[arg(long, env = "GATEWRIGHT_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where the control plane listens, with HTTPS [default: 127.0.0.1:9443]
    #[arg(long, value_name = "ADDRESS", value_parser = listening_address)]
    pub(crate) control: Option<SocketAddr>,
    /// A name or address of the control plane for clients, besides localhost; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) control_name: Vec<String>,
    /// Addresses of this machine for the control plane's public IP addresses, each for one, where
    /// frontends then listen [default: 127.100.0.0/16]
    #[arg(long, value_name = "ADDRESS|BLOCK,…")]
    pub(crate) public_ips: Option<PublicAddresses>,
    /// The parameters of gateways that are given as deployment templates
    #[arg(long, value_name = "FILE")]
    pub(crate) parameters: Option<PathBuf>,
    /// A folder with the JSON of the gateways' virtual networks, security groups and route tables,
    /// whose rules then hold for connections to backends
    #[arg(long, value_name = "DIR")]
    pub(crate) network: Option<PathBuf>,
    /// Settings in TOML, named like the flags; flags win
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A local stand-in for a backend address; may be repeated
    #[arg(long, value_name = "HOST[:PORT]=ADDRESS[:PORT]")]
    pub(crate) map: Vec<MapRule>,
    /// Added to every frontend port, so that 80 becomes 8080 with 8000
    #[arg(long, value_name = "N")]
    pub(crate) port_offset: Option<u16>,
    /// Where frontends listen: an address for all of them, FRONTEND=ADDRESS for one, or
    /// GATEWAY/FRONTEND=ADDRESS for that of one gateway [default: 0.0.0.0]
    #[arg(long, value_name = "[[GATEWAY/]FRONTEND=]ADDRESS")]
    pub(crate) bind: Vec<BindRule>,
    /// Make development certificates where the file has no private key
    #[arg(long)]
    pub(crate) dev_certs: bool,
    /// A PFX or PEM file for the certificate of this name; a PFX's password comes from
    /// GATEWRIGHT_CERTIFICATE_PASSWORD or from the password file
    #[arg(long, value_name = "NAME=FILE[,password-file=PATH]")]
    pub(crate) certificate: Vec<CertificateFile>,
    /// Where the access log goes: a file, or - for standard output
    #[arg(long, value_name = "PATH|-")]
    pub(crate) access_log: Option<OutputPath>,
    /// How large the access log's file may grow before it is put aside, in MiB [default: 256]
    #[arg(long, value_name = "MIB")]
    pub(crate) access_log_mib: Option<u32>,
    /// How many access log files that were put aside are kept [default: 4]
    #[arg(long, value_name = "N")]
    pub(crate) access_log_kept: Option<u16>,
    /// Where every change of a server's health goes, as lines of JSON: a file, or - for standard
    /// output
    #[arg(long, value_name = "PATH|-")]
    pub(crate) health_events: Option<OutputPath>,
    /// A URL that the health events are posted to
    #[arg(long, value_name = "URL")]
    pub(crate) notify_url: Option<String>,
    /// Where `health`, `diagnose` and other commands reach this node: a loopback address, or none
    /// [default: 127.0.0.1:9440]
    #[arg(long, env = "GATEWRIGHT_ADMIN", value_name = "ADDRESS|none")]
    pub(crate) admin: Option<AdminAddress>,
    /// Threads that serve traffic [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<u16>,
    /// Tell /Images from /images in path rules
    #[arg(long)]
    pub(crate) path_case_sensitive: bool,
    /// Have answers that the gateway makes for a failure say so, in the header Proxy-Status
    /// (RFC 9209), with a trace id for `why`
    #[arg(long)]
    pub(crate) proxy_status: bool,
    /// Serve gateways that use features which are not supported yet, without those features
    #[arg(long)]
    pub(crate) ignore_unsupported: bool,
    /// A name server for backend names, instead of the system's; may be repeated
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    pub(crate) dns: Vec<NameServer>,
    /// Read files again when they change (this is the default)
    #[arg(long, overrides_with = "no_watch")]
    pub(crate) watch: bool,
    /// Read files again only when told to
    #[arg(long, overrides_with = "watch")]
    pub(crate) no_watch: bool,
    /// How long requests may go on after SIGTERM, in seconds [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) drain_timeout: Option<u32>,
    /// How the ready line is printed [default: text]
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
}

#[derive(Debug, Args)]
#[command(override_usage = "gatewright diagnose [OPTIONS]\n       \
                            gatewright diagnose --evidence <DIR> [OPTIONS]\n       \
                            gatewright diagnose --azure -g <RG> -n <GW> [OPTIONS]")]
pub(crate) struct DiagnoseArguments {
    /// A folder with what was exported: gateway.json, backend-health.json and others [default: what
    /// a running node knows]
    #[arg(long, value_name = "DIR")]
    #[arg(conflicts_with_all = ["azure", "resource_group", "name", "AzArguments", "out", "force"])]
    pub(crate) evidence: Option<PathBuf>,
    /// Collect that of a gateway with az, as `collect` does it, and then diagnose it
    #[arg(long, requires_all = ["resource_group", "name"], conflicts_with = "fix")]
    pub(crate) azure: bool,
    /// The resource group of the gateway
    #[arg(short = 'g', long, value_name = "RG", requires = "azure")]
    pub(crate) resource_group: Option<String>,
    /// The name of the gateway
    #[arg(short, long, value_name = "GW", requires = "azure")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) az: AzArguments,
    /// The folder that is collected into, and kept [default: a temporary one, which is kept where
    /// the evidence does not decide]
    #[arg(long, value_name = "DIR", requires = "azure")]
    pub(crate) out: Option<PathBuf>,
    /// Collect into a folder that is not empty; what an earlier collection wrote is replaced
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
    /// The gateway of a running node, by its name or id; may be left out where there is one
    #[arg(long, value_name = "NAME|ID", conflicts_with_all = ["evidence", "azure"])]
    pub(crate) gateway: Option<String>,
    /// The node's admin address [default: 127.0.0.1:9440]
    #[arg(long, env = "GATEWRIGHT_ADMIN", value_name = "ADDRESS")]
    pub(crate) admin: Option<AdminAddress>,
    /// The data folder of a node with a control plane, as given to `serve`
    #[arg(long, env = "GATEWRIGHT_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Offer to apply what mends the root cause to what the node serves, and look whether it has
    #[arg(long, conflicts_with = "evidence")]
    pub(crate) fix: bool,
    /// Apply the first such remedy unasked
    #[arg(long, requires = "fix")]
    pub(crate) yes: bool,
    /// Show what was asked, what was seen, and what follows from it
    #[arg(long)]
    pub(crate) explain: bool,
    /// The answer's form: text for people, markdown for a ticket, the others for programs
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: DiagnoseFormat,
    /// Which findings make the exit status 1, where they are at least likely: error; warning, which
    /// is errors too; never, and then it is 0 with every answer, an undecided one too
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "SEVERITY",
        hide_possible_values = true
    )]
    pub(crate) fail_on: FailOn,
    /// A cause that is known and accepted, by code or name: everywhere, or where the finding is
    /// about this resource, by its name, resource id or address; may be repeated
    #[arg(long, value_name = "CODE[=RESOURCE]", value_parser = suppression)]
    pub(crate) suppress: Vec<Suppression>,
    /// Colour in text: auto is for terminals, unless NO_COLOR is set
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
}

/// How a diagnosis is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DiagnoseFormat {
    #[default]
    Text,
    Json,
    Sarif,
    Junit,
    Markdown,
}

/// Which findings fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FailOn {
    Error,
    #[default]
    Warning,
    Never,
}

/// Whether text has colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl DiagnoseArguments {
    /// Where the node is asked: as it is said, or as the node told in its data folder.
    ///
    /// # Errors
    /// When the folder has no node.
    pub(crate) fn admin_address(&self) -> Result<Option<AdminAddress>, Sentence> {
        NodeFile::admin_address(self.admin, self.data_dir.as_deref())
    }
}

#[derive(Debug, Args)]
pub(crate) struct PredictArguments {
    /// The gateway's JSON, as `serve` takes it, or a deployment template
    #[arg(value_name = "FILE")]
    pub(crate) gateway: PathBuf,
    /// The parameters of a template
    #[arg(long, value_name = "FILE")]
    pub(crate) parameters: Option<PathBuf>,
    /// A folder with the JSON of virtual networks, security groups and route tables
    #[arg(long, value_name = "DIR")]
    pub(crate) network: Option<PathBuf>,
    /// Show what was asked, what was seen, and what follows from it
    #[arg(long)]
    pub(crate) explain: bool,
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The configuration as it is: the gateway's JSON, as `serve` takes it, or a deployment
    /// template
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    /// The configuration as it is to be, in the same or another form
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// The parameters of templates
    #[arg(long, value_name = "FILE")]
    pub(crate) parameters: Option<PathBuf>,
    /// The parameters of a template that is NEW, where they are others
    #[arg(long, value_name = "FILE")]
    pub(crate) new_parameters: Option<PathBuf>,
    /// A folder with the JSON of virtual networks, security groups and route tables
    #[arg(long, value_name = "DIR")]
    pub(crate) network: Option<PathBuf>,
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct WhyArguments {
    /// The request's trace id: the header X-AppGw-Trace-Id at the server, transactionId in the
    /// access log; without one, the last requests that failed are listed
    #[arg(value_name = "TRACE-ID")]
    pub(crate) trace: Option<String>,
    /// The node's admin address [default: 127.0.0.1:9440]
    #[arg(long, env = "GATEWRIGHT_ADMIN", value_name = "ADDRESS")]
    pub(crate) admin: Option<AdminAddress>,
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
}

/// Which az is asked, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct AzArguments {
    /// The subscription of the gateway [default: az's own]
    #[arg(long, value_name = "ID")]
    pub(crate) subscription: Option<String>,
    /// The Log Analytics workspace whose access log is read; no log is read without
    #[arg(long, value_name = "ID")]
    pub(crate) workspace: Option<String>,
    /// The Azure CLI [default: GATEWRIGHT_AZ, or az on the PATH]
    #[arg(long, value_name = "PATH")]
    pub(crate) az: Option<PathBuf>,
    /// How long one command of az may take, in seconds; the health report may take three times as
    /// long [default: 60]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) az_timeout: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct CollectArguments {
    /// The resource group of the gateway
    #[arg(short = 'g', long, value_name = "RG")]
    pub(crate) resource_group: String,
    /// The name of the gateway
    #[arg(short, long, value_name = "GW")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) az: AzArguments,
    /// The folder that is made; one that is there must be empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Collect into a folder that is not empty; what an earlier collection wrote is replaced
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Its code, such as GW-F02, or its name, such as missing-trusted-root
    pub(crate) cause: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArguments {
    /// The gateways' JSON; - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The parameters of files that are deployment templates
    #[arg(long, value_name = "FILE")]
    pub(crate) parameters: Option<PathBuf>,
    /// Fail on warnings too
    #[arg(long)]
    pub(crate) strict: bool,
    /// Only warn of features that are not supported yet
    #[arg(long)]
    pub(crate) ignore_unsupported: bool,
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ReloadArguments {
    /// The node's admin address [default: 127.0.0.1:9440]
    #[arg(long, env = "GATEWRIGHT_ADMIN", value_name = "ADDRESS")]
    pub(crate) admin: Option<AdminAddress>,
}

#[derive(Debug, Args)]
pub(crate) struct HealthArguments {
    /// The node's admin address [default: 127.0.0.1:9440]
    #[arg(long, env = "GATEWRIGHT_ADMIN", value_name = "ADDRESS")]
    pub(crate) admin: Option<AdminAddress>,
    /// Of this gateway alone
    #[arg(long, value_name = "NAME")]
    pub(crate) gateway: Option<String>,
    /// Of this pool alone
    #[arg(long, value_name = "NAME")]
    pub(crate) pool: Option<String>,
    /// Of this backend setting alone
    #[arg(long, value_name = "NAME")]
    pub(crate) setting: Option<String>,
    /// Probe every server once, now, and show what that finds; what takes traffic stays as it is
    #[arg(long, conflicts_with = "watch")]
    pub(crate) now: bool,
    /// Show it again whenever it changes, until interrupted
    #[arg(long)]
    pub(crate) watch: bool,
    /// A table for people; json and yaml are what `az network application-gateway
    /// show-backend-health` prints
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: HealthFormat,
}

/// How health is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum HealthFormat {
    Table,
    Json,
    Yaml,
}

#[derive(Debug, Args)]
pub(crate) struct ProbeArguments {
    /// What to probe; or name a gateway's file and one of its backend settings
    pub(crate) url: Option<String>,
    /// The Host header, and the name in the TLS handshake [default: the URL's name, 127.0.0.1 for
    /// an address]
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
    /// The name in the TLS handshake, which the certificate must have; none sends and checks none
    #[arg(long, value_name = "NAME|none")]
    pub(crate) sni: Option<String>,
    /// The path [default: the URL's]
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,
    /// A root certificate that is trusted beside the well-known ones (v1: the server certificate
    /// that is trusted), PEM or DER; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Vec<PathBuf>,
    /// Status codes of a healthy answer [default: 200-399]
    #[arg(long = "match", value_name = "CODES")]
    pub(crate) match_codes: Option<String>,
    /// A text that a healthy answer's body holds
    #[arg(long, value_name = "TEXT")]
    pub(crate) match_body: Option<String>,
    /// How long everything may take, in seconds [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
    /// The generation of the gateway, whose rules for names and trust differ
    #[arg(long, value_name = "SKU", default_value = "v2")]
    pub(crate) sku: Sku,
    /// Take everything from this gateway's file
    #[arg(long, value_name = "FILE")]
    pub(crate) gateway: Option<PathBuf>,
    /// The backend setting whose servers are probed
    #[arg(long, value_name = "NAME")]
    pub(crate) setting: Option<String>,
    /// A local stand-in for a backend address; may be repeated
    #[arg(long, value_name = "HOST[:PORT]=ADDRESS[:PORT]")]
    pub(crate) map: Vec<MapRule>,
    /// A name server, instead of the system's; may be repeated
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    pub(crate) dns: Vec<NameServer>,
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
}

/// A generation of gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Sku {
    V1,
    V2,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// The node's admin address [default: 127.0.0.1:9440]
    #[arg(long, env = "GATEWRIGHT_ADMIN", value_name = "ADDRESS")]
    pub(crate) admin: Option<AdminAddress>,
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
}

/// The data folder of a running node.
#[derive(Debug, Args)]
pub(crate) struct NodeFolder {
    /// The data folder of the node, as given to `serve`
    #[arg(long, env = "GATEWRIGHT_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct AzSetupArguments {
    #[command(flatten)]
    pub(crate) node: NodeFolder,
    /// Where az keeps its settings and tokens for this node [default: az in the data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) config_dir: Option<PathBuf>,
    /// Print nothing but lines for a shell to take: eval "$(gatewright az-setup --shell)"
    #[arg(long)]
    pub(crate) shell: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SpCommand {
    /// Make one; its password is told this once
    Create(SpCreateArguments),
    /// Show all of them, and their roles
    List(SpListArguments),
    /// Take one away; its tokens are good for nothing from then on
    Revoke(SpRevokeArguments),
}

#[derive(Debug, Args)]
pub(crate) struct SpCreateArguments {
    #[command(flatten)]
    pub(crate) node: NodeFolder,
    /// How it is called
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// What it may do: Reader, "Network Contributor" or Owner
    #[arg(long, value_name = "ROLE", default_value = "Reader")]
    pub(crate) role: String,
    /// Where: the id of a resource group or a resource [default: the subscription]
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(crate) scope: String,
}

#[derive(Debug, Args)]
pub(crate) struct SpListArguments {
    #[command(flatten)]
    pub(crate) node: NodeFolder,
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct SpRevokeArguments {
    #[command(flatten)]
    pub(crate) node: NodeFolder,
    /// The appId of the principal
    #[arg(value_name = "APP-ID")]
    pub(crate) app_id: String,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    #[command(flatten)]
    pub(crate) node: NodeFolder,
    /// The file that is made; one that exists is not overwritten
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// The copy
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The folder that it becomes the data of; no node may be running on it
    #[arg(long, env = "GATEWRIGHT_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// Put the data that is there aside
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// The HTTP port; the HTTPS port is the next free one from 8443
    #[arg(long, value_name = "N", default_value_t = 8080)]
    pub(crate) port: u16,
    /// Where `health`, `status` and `reload` reach the demo: a loopback address, or none
    /// [default: 127.0.0.1:9440]
    #[arg(long, env = "GATEWRIGHT_ADMIN", value_name = "ADDRESS|none")]
    pub(crate) admin: Option<AdminAddress>,
}

fn listening_address(text: &str) -> Result<SocketAddr, String> {
    let example = "give an IP address and a port, such as 127.0.0.1:9443";
    text.parse().map_err(|_| example.to_owned())
}

fn suppression(text: &str) -> Result<Suppression, String> {
    let (typed, resource) = match text.split_once('=') {
        Some((_, "")) => return Err("name a resource behind the =, or leave the = away".to_owned()),
        Some((typed, resource)) => (typed, Some(resource.to_owned())),
        None => (text, None),
    };
    let cause = Cause::named(typed).ok_or_else(|| explain::unknown(typed).to_string())?;
    Ok(Suppression { cause, resource })
}
