//! `gatewright mcp --allow-writes`: nothing is changed but what was confirmed.

use gatewright_testkit::client::get;
use rmcp::model::ElicitationAction::{self, Accept, Cancel, Decline};
use serde_json::{Value, json};

use crate::mcp_client::{Age, Client, User, listen};
use crate::network::{Neighbourhood, allow_management, deny_web};
use crate::support::Node;

/// A node that a security group cuts off from its server.
struct CutOff {
    around: Neighbourhood,
    node: Node,
    before: String,
}

impl CutOff {
    async fn start() -> Self {
        let around = Neighbourhood::new().await;
        around.set_rules(&[allow_management(), deny_web()]);
        let before = std::fs::read_to_string(around.files.path("network/nsg.json")).unwrap();
        let node = around.serve();
        node.wait_for_healths(&["Unhealthy"]);
        Self {
            around,
            node,
            before,
        }
    }

    async fn client(&self, user: User, age: Age) -> Client {
        let admin = self.node.admin();
        Client::start(&["--allow-writes", "--admin", &admin], user, age).await
    }

    fn now(&self) -> String {
        std::fs::read_to_string(self.around.files.path("network/nsg.json")).unwrap()
    }

    fn is_untouched(&self) -> bool {
        let kept = self.around.files.path("network/nsg.json.before-fix");
        self.now() == self.before && !kept.exists()
    }

    async fn status(&self) -> u16 {
        let answer = get(self.node.address(), "shop.test", "/").await;
        answer.unwrap().status
    }
}

fn says(action: ElicitationAction, apply: Option<bool>) -> User {
    User::Says(action, apply.map(|apply| json!({"apply": apply})))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_confirmed_is_not_changed() {
    let cut_off = CutOff::start().await;
    for age in [Age::Of2025, Age::Of2026] {
        for user in [
            says(Decline, None),
            says(Cancel, None),
            says(Decline, Some(true)),
            says(Accept, None),
            says(Accept, Some(false)),
            User::Says(Accept, Some(json!({"apply": "true"}))),
        ] {
            let client = cut_off.client(user.clone(), age).await;
            let told = client.call("fix", json!({})).await;
            let case = format!("{age:?} {user:?}: {told:?}");
            assert!(told.text.contains("Nothing was changed"), "{case}");
            assert_eq!(told.json["applied"], false, "{case}");
            assert!(!told.is_error, "{case}");
            assert_eq!(client.asked().len(), 1, "{case}");
            assert!(cut_off.is_untouched(), "{case}");
        }
    }
    // What reads does not ask, and what cannot be asked changes nothing.
    for age in [Age::Of2025, Age::Of2026] {
        let client = cut_off.client(User::Nobody, age).await;
        let told = client.call("fix", json!({})).await;
        let why = "this client cannot ask its user for a confirmation";
        assert!(told.is_error && told.text.contains(why), "{told:?}");
        assert!(cut_off.is_untouched());
    }
    assert_eq!(cut_off.status().await, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_remedy_is_applied_and_verified() {
    let cut_off = CutOff::start().await;
    let client = cut_off.client(says(Accept, Some(true)), Age::Of2025).await;
    let tools = client.tools().await;
    let fix = tools.iter().find(|tool| tool["name"] == "fix").unwrap();
    assert_eq!(fix["annotations"]["readOnlyHint"], false, "{fix:#}");
    assert_eq!(fix["annotations"]["destructiveHint"], true, "{fix:#}");
    let told = client.call("fix", json!({"gateway": "gw"})).await;
    check_applied(&cut_off, &client, &told.text, &told.json).await;
    let again = client.call("fix", json!({})).await;
    assert!(again.is_error, "{again:?}");
    assert!(again.text.contains("there is no root cause"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_in_a_second_call_is_as_good() {
    let cut_off = CutOff::start().await;
    let folder = cut_off.around.files.path("token");
    std::fs::write(&folder, "0123456789abcdef").unwrap();
    let token_file = folder.display().to_string();
    let admin = cut_off.node.admin();
    let more = [
        "--allow-writes",
        "--admin",
        &admin,
        "--token-file",
        &token_file,
    ];
    let (_server, url) = listen(&more);
    let token = Some("0123456789abcdef");
    let user = says(Accept, Some(true));
    let client = Client::connect(&url, token, user, Age::Of2026).await;
    let told = client.call("fix", json!({})).await;
    check_applied(&cut_off, &client, &told.text, &told.json).await;
}

async fn check_applied(cut_off: &CutOff, client: &Client, text: &str, json: &Value) {
    let asked = client.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    // Everything that is about to be done is in the question.
    let question = &asked[0];
    assert!(question.contains("Apply this to what the node serves?"));
    let path = cut_off.around.files.path("network/nsg.json");
    let path = std::fs::canonicalize(path).unwrap();
    let place = format!("This changes {}.", path.display());
    for part in [
        place.as_str(),
        "GW-A03 nsg-backend-deny: ",
        "Let the gateway's subnet reach port 80, before deny-web.",
        "nsgs.json /0/securityRules/-: {\"name\":\"Allow-AppGW-Backend-80\"",
    ] {
        assert!(question.contains(part), "{part}: {question}");
    }
    assert!(text.contains("nsg.json is changed; "), "{text}");
    assert!(text.contains("is not found any more, after "), "{text}");
    assert_eq!(
        (&json["applied"], &json["verified"]),
        (&json!(true), &json!(true))
    );
    assert_ne!(cut_off.now(), cut_off.before);
    assert_eq!(cut_off.status().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_of_nothing_that_was_offered_is_refused() {
    let cut_off = CutOff::start().await;
    let client = cut_off.client(says(Accept, Some(true)), Age::Of2026).await;
    let bogus = "b0c1d2e3-0000-4000-8000-000000000000";
    let handle = client.offer().await;
    let told = client.confirm(bogus, &json!({"apply": true})).await;
    let case = format!("{told:?}");
    assert!(
        told.is_error && told.text.contains("no change waits"),
        "{case}"
    );
    // One answer is all that a question takes.
    let declined = client.confirm(&handle, &json!({"apply": false})).await;
    assert!(
        declined.text.contains("Nothing was changed"),
        "{declined:?}"
    );
    let again = client.confirm(&handle, &json!({"apply": true})).await;
    assert!(
        again.is_error && again.text.contains("no change waits"),
        "{again:?}"
    );
    assert!(cut_off.is_untouched());
}
