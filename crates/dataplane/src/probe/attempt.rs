//! One probe: connect, TLS, one request, and a look at the answer.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::time::{Duration, Instant};

use gatewright_snapshot::BackendProtocol;
use gatewright_telemetry::{
    CertificateNote, Failure, Fill, HealthMessage, ProbeRecord, ProbeRequest, ProbeStage, StageName,
};

use super::Spec;
use super::answer::TextSearch;
use super::certificates::{self, Judged};
use super::message::{alert_name, in_plain_words, of_failure};
use crate::core::unix_micros;
use crate::exchange::{AnswerBody, INTERIM_ANSWERS_MAX};
use crate::http::response::{FIELDS_MAX, HEAD_BYTES_MAX, begins_like_http, parse};
use crate::http::scan::{HeadScanner, Scan};
use crate::io::{Inbox, Stream, StreamError, Timer, Timers};
use crate::tls::{BackendTls, HandshakeFault, backend_handshake, backend_name};
use crate::upstream::{CONNECT_TIMEOUT, connect_in_time};

/// How much of a body is searched for the text that a probe wants, in bytes.
const SEARCHED_BYTES_MAX: usize = 1024 * 1024;
/// How much of a body is read where its text does not matter, in bytes, and for how long: enough
/// to see an answer that is cut off, and not a whole stream.
const READ_BYTES_MAX: usize = 64 * 1024;
const READ_PATIENCE: Duration = Duration::from_secs(1);

/// OpenSSL's number for a refusal that it has no number for.
const X509_V_ERR_UNSPECIFIED: u32 = 1;

/// Why a probe failed.
struct Fault {
    message: HealthMessage,
    detail: Option<String>,
    /// An alert's name, or the text that was not found.
    text: String,
    openssl: Option<u32>,
}

impl Fault {
    fn of(failure: Failure) -> Self {
        Self {
            message: of_failure(failure, None),
            detail: Some(fact(failure).to_owned()),
            text: String::new(),
            openssl: None,
        }
    }
}

/// What was seen: for a request the setting bounds the time, for a probe the probe does.
fn fact(failure: Failure) -> &'static str {
    match failure {
        Failure::BackendTimedOut => "the server did not answer within the probe's timeout",
        Failure::BackendBodyTimedOut => {
            "the server stopped within its answer until the probe's timeout was over"
        }
        other => other.fact(),
    }
}

/// What is known so far.
struct Attempt<'a> {
    spec: &'a Spec,
    timer: Timer,
    /// When the probe has to be over.
    deadline: Instant,
    stages: Vec<ProbeStage>,
    status: Option<u16>,
    certificates: Vec<CertificateNote>,
}

/// Probes once. Never takes longer than the probe's timeout and two ticks.
pub(super) async fn probe(
    spec: &Spec,
    tls: Option<&BackendTls>,
    timers: &Rc<Timers>,
) -> ProbeRecord {
    let mut attempt = Attempt {
        spec,
        timer: timers.timer(),
        deadline: Instant::now() + spec.probe.timeout,
        stages: Vec::new(),
        status: None,
        certificates: Vec::new(),
    };
    let outcome = attempt.run(tls).await;
    attempt.into_record(outcome.err())
}

impl Attempt<'_> {
    async fn run(&mut self, tls: Option<&BackendTls>) -> Result<(), Fault> {
        let stream = self.connect(tls).await?;
        let began = Instant::now();
        let outcome = self.ask(&stream).await;
        let detail = match (&outcome, self.status) {
            (Ok(()), Some(status)) => format!("{status}"),
            (Err(fault), _) => fault.detail.clone().unwrap_or_default(),
            (Ok(()), None) => String::new(),
        };
        self.note(StageName::Http, outcome.is_ok(), began, detail);
        stream.finish_sending();
        outcome
    }

    async fn connect(&mut self, tls: Option<&BackendTls>) -> Result<Stream, Fault> {
        let address = self.spec.address;
        let began = Instant::now();
        self.timer.start(CONNECT_TIMEOUT.min(self.time_left()));
        let obstacle = self.spec.obstacle.as_ref();
        let connected = connect_in_time(address, obstacle, &self.timer).await;
        let socket = match connected {
            Ok(socket) => socket,
            Err(failure) => {
                let detail = match obstacle {
                    Some(obstacle) => format!("{}: {obstacle}", failure.fact()),
                    None => format!("{address}: {}", failure.fact()),
                };
                self.note(StageName::Tcp, false, began, detail.clone());
                return Err(Fault {
                    detail: Some(detail),
                    ..Fault::of(failure)
                });
            }
        };
        self.note(
            StageName::Tcp,
            true,
            began,
            format!("connected to {address}"),
        );
        if self.spec.probe.protocol == BackendProtocol::Http {
            return Ok(Stream::Plain(socket));
        }
        // The target has one for every Https probe; without it nothing leaves in the clear.
        let Some(tls) = tls else {
            return Err(Fault::of(Failure::BackendTlsProtocol));
        };
        let began = Instant::now();
        let name = backend_name(self.spec.names.sni.as_deref(), address);
        self.timer.start(self.time_left());
        match backend_handshake(tls, name, socket, &self.timer).await {
            Ok(session) => {
                let judged = self.judge(tls, &session.presented());
                self.certificates = judged.notes;
                let detail = session.session().map_or_else(String::new, |session| {
                    format!("{} with {}", session.protocol, session.cipher)
                });
                self.note(StageName::Tls, true, began, detail);
                Ok(Stream::Tls(session))
            }
            Err(fault) => {
                let fault = self.fault_of_handshake(tls, &fault);
                let detail = fault.detail.clone().unwrap_or_default();
                self.note(StageName::Tls, false, began, detail);
                Err(fault)
            }
        }
    }

    fn judge(&self, tls: &BackendTls, presented: &[Vec<u8>]) -> Judged {
        let name = self.spec.names.sni.as_deref();
        certificates::judge(presented, tls.verification(), name)
    }

    /// Why a handshake came to nothing: where certificates were refused, their very defect.
    fn fault_of_handshake(&mut self, tls: &BackendTls, fault: &HandshakeFault) -> Fault {
        let error = fault.error.as_ref();
        if !fault.presented.is_empty() {
            let judged = self.judge(tls, &fault.presented);
            self.certificates = judged.notes;
            if let Some(defect) = judged.verdict.deciding() {
                return Fault {
                    message: certificates::message(defect.kind(), self.spec.generation),
                    detail: Some(defect.to_string()),
                    text: String::new(),
                    openssl: Some(u32::from(defect.openssl())),
                };
            }
        }
        let fact = fault.failure.fact();
        let detail = match error {
            Some(error) => format!("{fact} ({})", in_plain_words(error)),
            None => fact.to_owned(),
        };
        Fault {
            message: of_failure(fault.failure, error),
            detail: Some(detail),
            text: error.and_then(alert_name).unwrap_or_default(),
            openssl: Some(X509_V_ERR_UNSPECIFIED),
        }
    }

    async fn ask(&mut self, stream: &Stream) -> Result<(), Fault> {
        let head = request_head(self.spec);
        let mut pieces = [IoSlice::new(&head)];
        let patience = self.time_left();
        let mut sent = 0;
        let sending = stream.send_all(&mut pieces, &mut sent, &self.timer, patience);
        sending.await.map_err(|error| {
            Fault::of(match error {
                StreamError::TimedOut => Failure::BackendSendTimedOut,
                StreamError::Broken => Failure::BackendSendFailed,
            })
        })?;
        let mut inbox = Inbox::default();
        let (status, body) = self.receive_head(stream, &mut inbox).await?;
        self.status = Some(status);
        if !self.spec.probe.accepts(status) {
            return Err(Fault {
                message: HealthMessage::StatusMismatch,
                detail: Some(format!("the answer's status is {status}")),
                text: String::new(),
                openssl: None,
            });
        }
        match &self.spec.probe.body {
            Some(wanted) => self.search(stream, &mut inbox, body, wanted).await,
            None => self.read_on(stream, &mut inbox, body).await,
        }
    }

    /// The final answer's status, and its body's framing; the inbox is left at the body.
    async fn receive_head(
        &self,
        stream: &Stream,
        inbox: &mut Inbox,
    ) -> Result<(u16, AnswerBody), Fault> {
        for _ in 0..INTERIM_ANSWERS_MAX {
            let length = self.await_head(stream, inbox).await?;
            let mut storage = [const { MaybeUninit::uninit() }; FIELDS_MAX];
            let head = inbox.bytes().get(..length).unwrap_or_default();
            let head = parse(head, false, &mut storage).map_err(Fault::of)?;
            let (status, body) = (head.status, AnswerBody::new(head.body));
            inbox.consume(length);
            if status >= 200 {
                return Ok((status, body));
            }
        }
        Err(Fault::of(Failure::BackendHeadInvalid))
    }

    async fn await_head(&self, stream: &Stream, inbox: &mut Inbox) -> Result<usize, Fault> {
        let mut scanner = HeadScanner::default();
        loop {
            match scanner.scan(inbox.bytes()) {
                Scan::Complete(length) if length <= HEAD_BYTES_MAX => return Ok(length),
                Scan::BareLineEnd => return Err(Fault::of(Failure::BackendHeadInvalid)),
                Scan::Partial if inbox.bytes().len() <= HEAD_BYTES_MAX => {}
                Scan::Complete(_) | Scan::Partial => {
                    return Err(Fault::of(Failure::BackendHeadTooLarge));
                }
            }
            if !begins_like_http(inbox.bytes()) {
                // More of it will not make it an answer.
                return Err(Fault::of(Failure::BackendHeadInvalid));
            }
            self.timer.start(self.time_left());
            let failure = match stream.fill(inbox, &self.timer).await {
                Ok(1..) => continue,
                Err(StreamError::Broken) if let Some(error) = stream.tls_fault() => {
                    return Err(fault_of_tls(&error));
                }
                Ok(0) if inbox.is_empty() => Failure::BackendClosedUnanswered,
                Err(StreamError::Broken) if inbox.is_empty() => Failure::BackendResetUnanswered,
                Ok(0) | Err(StreamError::Broken) => Failure::BackendHeadInvalid,
                Err(StreamError::TimedOut) => Failure::BackendTimedOut,
            };
            return Err(Fault::of(failure));
        }
    }

    /// Looks for `wanted` in the body, up to a bound.
    async fn search(
        &self,
        stream: &Stream,
        inbox: &mut Inbox,
        mut body: AnswerBody,
        wanted: &str,
    ) -> Result<(), Fault> {
        let mut search = TextSearch::new(wanted);
        let mut seen = 0;
        let mut ended = false;
        let missing = |why: String| Fault {
            message: HealthMessage::BodyMismatch,
            detail: Some(why),
            text: wanted.to_owned(),
            openssl: None,
        };
        loop {
            let part = body.next(inbox, ended).map_err(Fault::of)?;
            search.take(inbox.bytes().get(..part.payload).unwrap_or_default());
            seen += part.payload;
            inbox.consume(part.consumed);
            if search.is_found() {
                return Ok(());
            }
            if part.is_last {
                return Err(missing(format!(
                    "the answer's body of {seen} bytes does not hold the text"
                )));
            }
            if seen >= SEARCHED_BYTES_MAX {
                let why =
                    format!("the first {seen} bytes of the answer's body do not hold the text");
                return Err(missing(why));
            }
            self.timer.start(self.time_left());
            ended = match stream.fill(inbox, &self.timer).await {
                Ok(count) => count == 0,
                Err(StreamError::Broken) => return Err(Fault::of(Failure::BackendBodyClosed)),
                Err(StreamError::TimedOut) => return Err(Fault::of(Failure::BackendBodyTimedOut)),
            };
        }
    }

    /// Reads the body for a while. The answer is a healthy one unless its body breaks off.
    async fn read_on(
        &self,
        stream: &Stream,
        inbox: &mut Inbox,
        mut body: AnswerBody,
    ) -> Result<(), Fault> {
        let until = self.deadline.min(Instant::now() + READ_PATIENCE);
        let mut seen = 0;
        let mut ended = false;
        loop {
            let part = body.next(inbox, ended).map_err(Fault::of)?;
            seen += part.payload;
            inbox.consume(part.consumed);
            if part.is_last || seen >= READ_BYTES_MAX {
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            self.timer.start(left);
            ended = match stream.fill(inbox, &self.timer).await {
                Ok(count) => count == 0,
                Err(StreamError::Broken) => return Err(Fault::of(Failure::BackendBodyClosed)),
                Err(StreamError::TimedOut) => return Ok(()),
            };
        }
    }

    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn note(&mut self, name: StageName, ok: bool, began: Instant, detail: String) {
        self.stages.push(ProbeStage {
            name,
            ok,
            micros: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            detail,
        });
    }

    fn into_record(self, fault: Option<Fault>) -> ProbeRecord {
        let Spec { probe, names, .. } = self.spec;
        let expected = probe.expected();
        let message = (fault.as_ref()).map_or(HealthMessage::Success, |fault| fault.message);
        let log = message.render(&Fill {
            expected: &expected,
            received: self.status,
            text: fault.as_ref().map_or("", |fault| &fault.text),
            openssl: fault.as_ref().and_then(|fault| fault.openssl),
        });
        ProbeRecord {
            at_micros: unix_micros(),
            is_healthy: fault.is_none(),
            message,
            log,
            detail: fault.and_then(|fault| fault.detail),
            status: self.status,
            request: ProbeRequest {
                host: names.host.clone(),
                sni: names.sni.clone(),
                path: probe.path.clone(),
                port: probe.port,
                is_encrypted: probe.protocol == BackendProtocol::Https,
            },
            stages: self.stages,
            certificates: self.certificates,
        }
    }
}

/// What the server's TLS said once the handshake was done on our side: with TLS 1.3 it refuses a
/// client only then.
fn fault_of_tls(error: &rustls::Error) -> Fault {
    let failure = match error {
        rustls::Error::AlertReceived(_) => Failure::BackendTlsAlert,
        _ => Failure::BackendTlsProtocol,
    };
    Fault {
        message: of_failure(failure, Some(error)),
        detail: Some(format!("{} ({})", failure.fact(), in_plain_words(error))),
        text: alert_name(error).unwrap_or_default(),
        openssl: None,
    }
}

/// As the gateway asks: nothing but what HTTP/1.1 demands, and no connection that is kept; and
/// what somebody else wants to be asked.
fn request_head(spec: &Spec) -> Vec<u8> {
    let mut head = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
        spec.probe.path, spec.names.host
    );
    for (name, value) in &spec.fields {
        head.extend([name.as_str(), ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    head.into_bytes()
}
