//! `gatewright mcp`: a server of the Model Context Protocol, so that whoever helps an operator can
//! ask a running node, or an evidence folder, what is wrong.
//!
//! It only reads, unless it is started with `--allow-writes`; and then nothing is changed that the
//! operator has not confirmed. With standard input and output, standard output is the protocol's:
//! nothing else may be printed there.

mod answer;
mod fix;
mod http;
mod server;
mod subject;
mod tools;

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use rmcp::ServiceExt as _;
use rmcp::service::ServerInitializeError;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::io::stdio_pipes;

use crate::commands::serve::with_runtime;
use crate::output;
use crate::sentence::Sentence;
use crate::settings::AdminAddress;

use server::Server;
use subject::Subject;

/// Largest message of a client, in bytes.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

#[derive(Debug, Args)]
pub(crate) struct McpArguments {
    /// Answer about this evidence folder, and ask no node
    #[arg(long, value_name = "DIR", conflicts_with = "allow_writes")]
    evidence: Option<PathBuf>,
    /// The node's admin address [default: 127.0.0.1:9440]
    #[arg(long, env = "GATEWRIGHT_ADMIN", value_name = "ADDRESS")]
    admin: Option<AdminAddress>,
    /// The data folder of a node with a control plane, as given to `serve`
    #[arg(long, env = "GATEWRIGHT_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Offer `fix`, which applies a remedy once the client's user has confirmed each change
    #[arg(long)]
    allow_writes: bool,
    /// Listen here with HTTP, at /mcp, instead of standard input and output: a loopback address
    #[arg(long, value_name = "ADDRESS", value_parser = loopback)]
    http: Option<SocketAddr>,
    /// A file with the token that HTTP clients must send, as `Authorization: Bearer TOKEN`; needed
    /// for --http with --allow-writes
    #[arg(long, value_name = "FILE", requires = "http")]
    token_file: Option<PathBuf>,
}

pub(crate) fn run(arguments: McpArguments) -> Result<ExitCode, Sentence> {
    if arguments.allow_writes && arguments.http.is_some() && arguments.token_file.is_none() {
        return Err(Sentence::new(
            "every user of this machine can reach an HTTP address of it, and could confirm a \
             change; give a token with --token-file, or do without --http",
        ));
    }
    let token = arguments.token_file.as_deref().map(http::read_token);
    let token = token.transpose()?;
    let subject = match arguments.evidence {
        Some(folder) if !folder.is_dir() => {
            return Err(Sentence::new(format!(
                "the evidence folder {} cannot be found",
                folder.display()
            )));
        }
        Some(folder) => Subject::Folder(folder),
        None => Subject::Node {
            admin: arguments.admin,
            data_dir: arguments.data_dir,
        },
    };
    let server = Server::new(subject, arguments.allow_writes);
    with_runtime(async {
        match arguments.http {
            Some(address) => http::serve(server, address, token).await?,
            None => over_standard_streams(server).await?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn over_standard_streams(server: Server) -> Result<(), Sentence> {
    if io::stdin().is_terminal() {
        output::remark(
            "this waits for messages of the Model Context Protocol: have an MCP client start it",
        );
    }
    let (input, printed) = stdio_pipes();
    let transport = AsyncRwTransport::new_server(input, printed);
    let transport = transport.with_max_line_length(MESSAGE_BYTES_MAX);
    let ended = match server.clone().serve(transport).await {
        Ok(running) => running.waiting().await.map(drop),
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(ServerInitializeError::ExpectedInitializeRequest(_)) => {
            return Err(Sentence::new(
                "the first message on standard input is no `initialize` of the Model Context \
                 Protocol; have an MCP client start `gatewright mcp`",
            ));
        }
        Err(error) => {
            return Err(Sentence::new(format!(
                "the MCP client and this server do not agree: {error}"
            )));
        }
    };
    server.settle_down().await;
    ended.map_err(|error| Sentence::new(format!("the server has died: {error}")))
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let example = "give a loopback address and a port, such as 127.0.0.1:9442";
    let address: SocketAddr = text.parse().map_err(|_| example.to_owned())?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err(format!(
            "{address} can be reached from other machines, and HTTP hides nothing on the way; \
             {example}, and reach it from elsewhere through SSH"
        )),
    }
}
