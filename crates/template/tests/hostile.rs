//! Templates that are small and would make something large, and texts that mean harm.

mod common;

use common::{planned, planned_text, refused};
use gatewright_template::{MAX_EVALUATION_DEPTH, read_text};
use serde_json::{Map, Value, json};

fn with_variables(variables: Value) -> Value {
    json!({"resources": [], "variables": variables})
}

/// The work that is allowed has to be done with the stack of a worker thread.
fn on_a_small_stack(test: fn()) {
    let thread = std::thread::Builder::new().stack_size(1024 * 1024);
    thread.spawn(test).unwrap().join().unwrap();
}

/// `v0`, and each after it made of the one before.
fn chain(first: Value, count: usize, next: impl Fn(String) -> Value) -> Value {
    let mut variables = Map::new();
    variables.insert("v0".to_owned(), first);
    for index in 1..count {
        variables.insert(
            format!("v{index}"),
            next(format!("variables('v{}')", index - 1)),
        );
    }
    with_variables(Value::Object(variables))
}

#[test]
fn texts_that_double_are_stopped() {
    let concat = chain(json!("ab"), 64, |before| {
        json!(format!("[concat({before}, {before})]"))
    });
    assert!(
        refused(&concat, json!({}))
            .message
            .contains("more than '4194304' bytes")
    );
    let lists = chain(json!([1, 2]), 64, |before| {
        json!(format!("[concat({before}, {before})]"))
    });
    assert!(
        refused(&lists, json!({}))
            .message
            .contains("more than '4194304' bytes")
    );
    let trees = chain(json!([1]), 64, |before| {
        json!([format!("[{before}]"), format!("[{before}]")])
    });
    assert!(
        refused(&trees, json!({}))
            .message
            .contains("more than '4194304' bytes")
    );
    let replaced = json!({"a": "[padLeft('', 2000, 'a')]",
        "b": "[replace(variables('a'), 'a', variables('a'))]"});
    assert!(planned(&with_variables(replaced), json!({})).is_ok());
    let replaced = json!({"a": "[padLeft('', 4000, 'a')]",
        "b": "[replace(variables('a'), 'a', variables('a'))]"});
    assert!(
        refused(&with_variables(replaced), json!({}))
            .message
            .contains("more than")
    );
    let joined = json!({"a": "[join(range(0, 10000), padLeft('', 1000))]"});
    assert!(
        refused(&with_variables(joined), json!({}))
            .message
            .contains("more than")
    );
    let formatted = json!({"a": format!("[format('{}', padLeft('', 4000))]", "{0}".repeat(2000))});
    assert!(
        refused(&with_variables(formatted), json!({}))
            .message
            .contains("more than")
    );
    let large = "variables('a')";
    let compared =
        json!({"a": "[padLeft('', 3000000)]", "b": format!("[equals({large}, {large})]")});
    assert!(
        refused(&with_variables(compared), json!({}))
            .message
            .contains("more than")
    );
    let split = json!({"a": "[split(padLeft('', 1000000, ','), ',')]"});
    assert!(
        refused(&with_variables(split), json!({}))
            .message
            .contains("more than")
    );
}

#[test]
fn work_that_multiplies_is_stopped() {
    let inner = "map(range(0, 3000), lambda('y', lambdaVariables('x')))";
    let loops = format!("[length(map(range(0, 10000), lambda('x', {inner})))]");
    assert!(
        refused(&with_variables(json!({"a": loops})), json!({}))
            .message
            .contains("in all")
    );
    let copies: Vec<Value> = (0..200)
        .map(|n| {
            json!({"name": format!("c{n}"), "count": 800, "input": {"copy": [
                {"name": "d", "count": 800, "input": 1},
            ]}})
        })
        .collect();
    let message = refused(&with_variables(json!({"copy": copies})), json!({})).message;
    assert!(message.contains("more than"), "{message}");
}

#[test]
fn nesting_is_bounded_on_the_stack_of_a_thread() {
    on_a_small_stack(|| {
        let deep = chain(json!(1), 200, |before| json!([format!("[{before}]")]));
        assert!(refused(&deep, json!({})).message.contains("deep"));
        let deep = chain(json!(1), 200, |before| {
            json!(format!("[createArray({before})]"))
        });
        assert!(refused(&deep, json!({})).message.contains("deep"));
        let list = format!("[json('{}{}')]", "[".repeat(60), "]".repeat(60));
        let deep = (0..90).fold(json!(list), |inner, _| json!([inner]));
        assert!(
            refused(&with_variables(json!({"a": deep})), json!({}))
                .message
                .contains("deep")
        );
        let call = format!("[{}1{}]", "createArray(".repeat(60), ")".repeat(60));
        assert!(planned(&with_variables(json!({"a": call})), json!({})).is_ok());
    });
}

#[test]
fn user_functions_that_call_each_other_end() {
    on_a_small_stack(|| {
        let body = format!("[{}x.f(){}]", "createArray(".repeat(50), ")".repeat(50));
        let template = json!({
            "functions": [{"namespace": "x", "members": {"f": {"output": {"type": "array",
                "value": body}}}}],
            "variables": {"a": "[x.f()]"},
            "resources": [],
        });
        let message = refused(&template, json!({})).message;
        assert!(
            message.contains(&format!("more than '{MAX_EVALUATION_DEPTH}' calls deep")),
            "{message}"
        );
        let nested = |text: &str| (0..85).fold(json!(text), |inner, _| json!([inner]));
        let deep_call = "[map(createArray(1), lambda('y', x.f()))]";
        let template = json!({
            "functions": [{"namespace": "x", "members": {
                "f": {"output": {"type": "array", "value": nested(deep_call)}},
            }}],
            "variables": {"a": nested("[x.f()]")},
            "resources": [],
        });
        let message = refused(&template, json!({})).message;
        assert!(message.contains("calls deep"), "{message}");
    });
}

#[test]
fn long_chains_of_variables_in_any_order_end() {
    on_a_small_stack(|| {
        let mut variables = Map::new();
        for index in 0..511 {
            let next = format!("[variables('v{}')]", index + 1);
            variables.insert(format!("v{index}"), json!(next));
        }
        variables.insert("v511".to_owned(), json!(1));
        assert!(planned(&with_variables(Value::Object(variables)), json!({})).is_ok());
    });
}

#[test]
fn too_many_resources_are_refused() {
    let one = |name: &str, count: usize| {
        json!({"type": "A.B/c", "apiVersion": "1",
            "name": format!("[concat('{name}', copyIndex())]"),
               "copy": {"name": name, "count": count}})
    };
    let within = json!({"resources": [one("a", 400), one("b", 400)]});
    assert_eq!(planned(&within, json!({})).unwrap().resources.len(), 800);
    let beyond = json!({"resources": [one("a", 400), one("b", 401)]});
    assert!(
        refused(&beyond, json!({}))
            .message
            .contains("resources limit exceeded. Limit: '800'")
    );
    let mut all_of_them = one("c", 200);
    all_of_them["dependsOn"] = json!(vec!["a"; 801]);
    let many = json!({"resources": [one("a", 400), all_of_them]});
    assert!(
        refused(&many, json!({}))
            .message
            .contains("more than '800' entries")
    );
    all_of_them["dependsOn"] = json!(vec!["a"; 800]);
    let many = json!({"resources": [one("a", 400), all_of_them]});
    assert_eq!(
        planned(&many, json!({})).unwrap().resources[599]
            .depends_on
            .len(),
        400
    );
}

#[test]
fn nested_deployments_in_loops_are_stopped() {
    let mut template = json!({"resources": [{"type": "A.B/c", "apiVersion": "1",
        "name": "[concat('a', copyIndex())]",
        "copy": {"name": "l", "count": 800}}]});
    for _ in 0..3 {
        template = json!({"resources": [{
            "type": "Microsoft.Resources/deployments", "apiVersion": "1",
                "name": "[concat('d', copyIndex())]",
            "copy": {"name": "l", "count": 800},
            "properties": {"expressionEvaluationOptions": {"scope": "inner"}, "template": template},
        }]});
    }
    assert!(refused(&template, json!({})).message.contains("in all"));
}

#[test]
fn deep_and_large_texts_are_refused_by_the_reader() {
    on_a_small_stack(|| {
        for piece in ["[", "{\"a\":", "[{a:", "//\n[", "/**/{'b':["] {
            assert!(
                read_text(piece.repeat(100_000).as_bytes()).is_err(),
                "{piece}"
            );
        }
        let deepest = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(read_text(deepest.as_bytes()).is_ok());
        let deeper = format!("[{deepest}]");
        assert!(read_text(deeper.as_bytes()).is_err());
    });
}

#[test]
fn a_long_list_of_names_is_read_in_time() {
    let members: Vec<String> = (0..200_000).map(|n| format!("a{n}: 1")).collect();
    let text = format!("{{{}}}", members.join(","));
    assert_eq!(
        read_text(text.as_bytes())
            .unwrap()
            .as_object()
            .unwrap()
            .len(),
        200_000
    );
}

#[test]
fn a_fault_in_a_multi_line_expression_is_no_puzzle() {
    let text = "{\"resources\": [],\n\"variables\": {\n\"a\": \"[concat('x',\n  nothing())]\"}}";
    let error = planned_text(text, json!({})).err().unwrap();
    assert_eq!(
        (error.line, error.path.as_str()),
        (4, "properties.template.variables.a")
    );
}
