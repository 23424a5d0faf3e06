//! The cases: what is asked, over what, how often, and the ratio to HAProxy that is aimed at.

use serde::{Deserialize, Serialize};

/// Which cores the proxy and the rest run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// Proxy, backend and load take turns on CPU 0: the sharpest comparison of engines.
    OneCore,
    /// The proxy alone on CPU 0, backend and load on CPU 1: cross-core wake-ups, the same for
    /// all, dilute the ratio.
    TwoCores,
}

/// The proxy's place in both regimes.
pub const PROXY_CPUS: [usize; 1] = [0];

impl Regime {
    pub const ALL: [Self; 2] = [Self::OneCore, Self::TwoCores];

    pub fn name(self) -> &'static str {
        match self {
            Self::OneCore => "one-core",
            Self::TwoCores => "two-cores",
        }
    }

    pub fn proxy_cpus(self) -> &'static [usize] {
        &PROXY_CPUS
    }

    pub fn other_cpus(self) -> &'static [usize] {
        match self {
            Self::OneCore => &[0],
            Self::TwoCores => &[1],
        }
    }
}

/// Which of a proxy's ports a case speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Plain,
    TlsP256,
    TlsRsa,
}

pub struct Case {
    pub name: &'static str,
    pub transport: Transport,
    pub path: &'static str,
    pub post_bytes: Option<usize>,
    pub response_bytes: u64,
    pub connections: usize,
    pub new_connection_each: bool,
    pub rate: Option<u32>,
    /// Requests in one round: a few seconds of a round on a current server core.
    pub requests: u64,
    /// Aims, as ratios to HAProxy of the same run: one core, two cores.
    pub aims: [Option<f64>; 2],
}

impl Case {
    pub fn aim(&self, regime: Regime) -> Option<f64> {
        let [one_core, two_cores] = self.aims;
        match regime {
            Regime::OneCore => one_core,
            Regime::TwoCores => two_cores,
        }
    }

    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|case| case.name == name)
    }
}

const GET_1K: Case = Case {
    name: "get-1k",
    transport: Transport::Plain,
    path: "/1k",
    post_bytes: None,
    response_bytes: 1024,
    connections: 64,
    new_connection_each: false,
    rate: None,
    requests: 120_000,
    aims: [Some(0.60), Some(0.80)],
};

pub static ALL: [Case; 9] = [
    GET_1K,
    Case {
        name: "get-64k",
        path: "/64k",
        response_bytes: 65_536,
        requests: 40_000,
        aims: [Some(0.55), Some(0.60)],
        ..GET_1K
    },
    Case {
        name: "post-16k",
        path: "/post",
        post_bytes: Some(16_384),
        response_bytes: 2,
        requests: 50_000,
        aims: [Some(0.45), Some(0.45)],
        ..GET_1K
    },
    Case {
        name: "tls13-get-1k",
        transport: Transport::TlsP256,
        requests: 80_000,
        aims: [Some(0.70), Some(0.75)],
        ..GET_1K
    },
    Case {
        name: "tls-new-p256",
        transport: Transport::TlsP256,
        new_connection_each: true,
        requests: 4_000,
        aims: [Some(0.40), Some(0.45)],
        ..GET_1K
    },
    Case {
        name: "tls-new-rsa",
        transport: Transport::TlsRsa,
        new_connection_each: true,
        requests: 3_000,
        aims: [Some(0.75), Some(0.75)],
        ..GET_1K
    },
    Case {
        name: "tcp-new",
        new_connection_each: true,
        requests: 30_000,
        aims: [None, None],
        ..GET_1K
    },
    Case {
        name: "get-1k-c1000",
        connections: 1_000,
        aims: [None, Some(0.75)],
        ..GET_1K
    },
    Case {
        name: "get-1k-5krps",
        rate: Some(5_000),
        requests: 10_000,
        aims: [None, None],
        ..GET_1K
    },
];
