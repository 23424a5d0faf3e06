//! Clients of `gatewright mcp`, as the protocol's own SDK has them.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ClientConfig,
    ElicitRequestParams, ElicitResult, ElicitationAction, ErrorData, Implementation,
    ProtocolVersion,
};
use rmcp::service::{RequestContext, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt as _, RoleClient};
use serde_json::{Value, json};

use crate::support::{Process, binary};

/// What the client's user says to a confirmation.
#[derive(Clone, Debug)]
pub(crate) enum User {
    /// There is none who can be asked.
    Nobody,
    Says(ElicitationAction, Option<Value>),
}

/// How client and server come to agree.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Age {
    /// `initialize`, and requests of the server.
    Of2025,
    /// `server/discover`, and questions in answers.
    Of2026,
}

#[derive(Clone)]
struct Handler {
    user: User,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        let capabilities = match self.user {
            User::Nobody => ClientCapabilities::default(),
            User::Says(..) => ClientCapabilities::builder().enable_elicitation().build(),
        };
        ClientConfig::new(capabilities, Implementation::new("a-test", "1"))
            .with_protocol_version(ProtocolVersion::V_2025_11_25)
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, .. } = request else {
            return Err(ErrorData::invalid_params("no form", None));
        };
        self.asked.lock().unwrap().push(message);
        let User::Says(action, content) = self.user.clone() else {
            return Err(ErrorData::invalid_params("nobody can be asked", None));
        };
        let result = ElicitResult::new(action);
        Ok(match content {
            Some(content) => result.with_content(content),
            None => result,
        })
    }
}

/// A client with its server.
pub(crate) struct Client {
    service: RunningService<RoleClient, Handler>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Client {
    /// Starts a server with these arguments, as clients do, and speaks with it.
    pub(crate) async fn start(arguments: &[&str], user: User, age: Age) -> Self {
        let mut command = tokio::process::Command::from(binary());
        command.arg("mcp").args(arguments);
        let builder = TokioChildProcess::builder(command).stderr(Stdio::null());
        let (transport, _) = builder.spawn().unwrap();
        Self::over(transport, user, age).await
    }

    /// Speaks with a server over HTTP.
    pub(crate) async fn connect(url: &str, token: Option<&str>, user: User, age: Age) -> Self {
        Self::try_connect(url, token, user, age).await.unwrap()
    }

    pub(crate) async fn try_connect(
        url: &str,
        token: Option<&str>,
        user: User,
        age: Age,
    ) -> Result<Self, String> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut config = StreamableHttpClientTransportConfig::with_uri(url);
        config.auth_header = token.map(str::to_owned);
        let transport = StreamableHttpClientTransport::from_config(config);
        Self::try_over(transport, user, age).await
    }

    async fn over<T, E, A>(transport: T, user: User, age: Age) -> Self
    where
        T: rmcp::transport::IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        Self::try_over(transport, user, age).await.unwrap()
    }

    async fn try_over<T, E, A>(transport: T, user: User, age: Age) -> Result<Self, String>
    where
        T: rmcp::transport::IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let handler = Handler {
            user,
            asked: Arc::clone(&asked),
        };
        let lifecycle = match age {
            Age::Of2025 => ClientLifecycleMode::Initialize,
            Age::Of2026 => ClientLifecycleMode::Discover {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            },
        };
        let service = handler.serve_with_lifecycle(transport, lifecycle).await;
        let service = service.map_err(|error| error.to_string())?;
        Ok(Self { service, asked })
    }

    /// The tools as they are listed, as JSON.
    pub(crate) async fn tools(&self) -> Vec<Value> {
        let tools = self.service.list_all_tools().await.unwrap();
        let json = |tool| serde_json::to_value(tool).unwrap();
        tools.into_iter().map(json).collect()
    }

    pub(crate) async fn tool_names(&self) -> Vec<String> {
        let names = self.tools().await.into_iter();
        names
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Told {
        self.try_call(tool, arguments).await.unwrap()
    }

    pub(crate) async fn try_call(&self, tool: &str, arguments: Value) -> Result<Told, String> {
        let Value::Object(arguments) = arguments else {
            panic!("arguments are an object");
        };
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let result = self.service.call_tool(request).await;
        result.map(Told::from).map_err(|error| error.to_string())
    }

    /// Has a change offered, and asks nobody: what it is confirmed by.
    pub(crate) async fn offer(&self) -> String {
        let request = CallToolRequestParams::new("fix");
        let CallToolResponse::InputRequired(required) =
            self.service.call_tool_once(request).await.unwrap()
        else {
            panic!("nothing was asked");
        };
        required.request_state.unwrap()
    }

    /// Accepts what is behind a handle.
    pub(crate) async fn confirm(&self, handle: &str, content: &Value) -> Told {
        let said = json!({"action": "accept", "content": content});
        let mut request = CallToolRequestParams::new("fix");
        request.request_state = Some(handle.to_owned());
        request.input_responses = Some([("confirmation".to_owned(), said)].into());
        let result = self.service.call_tool(request).await;
        Told::from(result.unwrap())
    }

    /// The messages that the user was shown.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The client goes away; its server has to end.
    pub(crate) async fn end(self) {
        self.service.cancel().await.unwrap();
    }
}

/// What a tool answered.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) is_error: bool,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl From<CallToolResult> for Told {
    fn from(result: CallToolResult) -> Self {
        let texts = result.content.iter();
        let texts: Vec<&str> = texts
            .map(|one| one.as_text().unwrap().text.as_str())
            .collect();
        Self {
            is_error: result.is_error == Some(true),
            text: texts.join("\n"),
            json: result.structured_content.unwrap_or_default(),
        }
    }
}

/// A server that listens with HTTP, and its URL.
pub(crate) fn listen(arguments: &[&str]) -> (Process, String) {
    let process = Process::start(&[&["mcp", "--http", "127.0.0.1:0"], arguments].concat());
    let line = process.next_line();
    let url = line.strip_prefix("ready: ").unwrap().to_owned();
    (process, url)
}
