//! Parameters, variables, resources, dependencies, nested deployments, outputs.

mod common;

use common::{Echo, GROUP, planned, planned_text, refused};
use gatewright_template::{Plan, Template, TemplateError};
use serde_json::{Value, json};

fn names(plan: &Plan) -> Vec<&str> {
    plan.resources.iter().map(|one| one.name.as_str()).collect()
}

fn error_of(result: Result<Plan, TemplateError>) -> TemplateError {
    result.err().expect("the template was taken")
}

/// A resource of a made-up type.
fn resource(name: &str, more: Value) -> Value {
    let mut resource = json!({"type": "A.B/c", "name": name, "apiVersion": "2020-01-01"});
    for (key, value) in more.as_object().unwrap() {
        resource[key] = value.clone();
    }
    resource
}

fn of(resources: Value) -> Value {
    json!({"resources": resources})
}

#[test]
fn a_missing_parameter_is_told_as_recorded() {
    let text = "{\n\"resources\": [],\n\"parameters\": {\n  \"extra\": {\n\"type\": \"string\"}}}";
    let error = error_of(planned_text(text, json!({})));
    assert_eq!(
        error.to_json(),
        json!({
            "code": "InvalidTemplate",
            "message": "Deployment template validation failed: 'The value for the template \
                parameter \
                        'extra' at line '4' and column '12' is not provided. Please see \
                        https://aka.ms/arm-create-parameter-file for usage details.'.",
            "additionalInfo": [{"type": "TemplateViolation", "info": {
                "lineNumber": 4, "linePosition": 12, "path": "properties.template.parameters.extra",
            }}],
        })
    );
}

#[test]
fn sections_are_checked() {
    for (template, words) in [
        (json!([]), "must be an object"),
        (json!({}), "Required property 'resources' not found"),
        (json!({"resources": 1}), "must be an array or an object"),
        (
            json!({"resources": [], "resource": []}),
            "Could not find member 'resource'",
        ),
        (
            json!({"resources": [], "imports": {}}),
            "'imports' is not supported here",
        ),
        (
            json!({"resources": [], "parameters": []}),
            "'parameters' must be an object",
        ),
        (
            json!({"resources": [], "variables": 1}),
            "'variables' must be an object",
        ),
        (
            json!({"resources": [], "functions": {}}),
            "'functions' must be an array",
        ),
        (
            json!({"resources": [], "functions": [{}]}),
            "a 'namespace' and 'members'",
        ),
        (
            json!({"resources": [], "functions": [{"namespace": "a", "members": {"b": {}}}]}),
            "an 'output' with a 'value'",
        ),
    ] {
        let error = refused(&template, json!({}));
        assert!(error.message.contains(words), "{template}: {error}");
        assert_eq!(error.code, "InvalidTemplate");
    }
    let many = |count: usize| -> serde_json::Map<String, Value> {
        (0..count)
            .map(|n| (format!("n{n}"), json!({"type": "int", "defaultValue": 1})))
            .collect()
    };
    for (section, most) in [("parameters", 256), ("variables", 512), ("outputs", 64)] {
        let template = json!({"resources": [], section: many(most + 1)});
        let message = refused(&template, json!({})).message;
        let actual = most + 1;
        assert!(
            message.contains(&format!("'{most}' and actual: '{actual}'")),
            "{message}"
        );
    }
    assert!(
        planned(
            &json!({"resources": [], "parameters": many(256)}),
            json!({})
        )
        .is_ok()
    );
}

fn with_parameter(declaration: Value, given: Value) -> Result<Plan, TemplateError> {
    let template = json!({"resources": [], "parameters": {"It": declaration}});
    planned(&template, given)
}

#[test]
fn parameters_are_given_or_defaulted() {
    let good = [
        (
            json!({"type": "STRING"}),
            json!({"iT": "a"}),
            json!({"type": "String", "value": "a"}),
        ),
        (
            json!({"type": "int", "defaultValue": "[add(1, 2)]"}),
            json!({}),
            json!({"type": "Int", "value": 3}),
        ),
        (
            json!({"type": "bool"}),
            json!({"It": false}),
            json!({"type": "Bool", "value": false}),
        ),
        (
            json!({"type": "array", "minLength": 1}),
            json!({"It": [1]}),
            json!({"type": "Array", "value": [1]}),
        ),
        (
            json!({"type": "object"}),
            json!({"It": {"a": "[x]"}}),
            json!({"type": "Object", "value": {"a": "[x]"}}),
        ),
        (
            json!({"type": "secureObject"}),
            json!({"It": {"a": 1}}),
            json!({"type": "SecureObject"}),
        ),
        (
            json!({"type": "string", "nullable": true}),
            json!({}),
            json!({"type": "String", "value": null}),
        ),
        (
            json!({"type": "string", "allowedValues": ["A", "b"]}),
            json!({"It": "a"}),
            json!({"type": "String", "value": "a"}),
        ),
        (
            json!({"type": "array", "allowedValues": ["a", "b"]}),
            json!({"It": ["b", "a"]}),
            json!({"type": "Array", "value": ["b", "a"]}),
        ),
        (
            json!({"type": "int", "minValue": 1, "maxValue": 3}),
            json!({"It": 3}),
            json!({"type": "Int", "value": 3}),
        ),
        (
            json!({"type": "string", "defaultValue": "[utcNow('yyyy-MM-dd')]"}),
            json!({}),
            json!({"type": "String", "value": "2026-01-31"}),
        ),
        (
            json!({"type": "string", "defaultValue": "[utcNow()]"}),
            json!({}),
            json!({"type": "String", "value": "20260131T123456Z"}),
        ),
    ];
    for (declaration, given, expected) in good {
        let plan = with_parameter(declaration.clone(), given).unwrap();
        assert_eq!(plan.parameters()["it"], expected, "{declaration}");
    }
}

/// Each declaration with what is given for it, and words of the refusal.
fn all_refused(bad: &[(Value, Value, &str)]) {
    for (declaration, given, words) in bad {
        let error = error_of(with_parameter(declaration.clone(), given.clone()));
        assert!(error.message.contains(words), "{declaration}: {error}");
        assert!(
            error.path.starts_with("properties.template.parameters"),
            "{error:?}"
        );
    }
}

#[test]
fn parameters_that_do_not_fit_are_refused() {
    all_refused(&[
        (
            json!({"type": "string"}),
            json!({"It": 1}),
            "Expected a value of type 'String', but received a value of type 'Integer'",
        ),
        (
            json!({"type": "int"}),
            json!({"It": 1.5}),
            "but received a value of type 'Float'",
        ),
        (
            json!({"type": "int", "defaultValue": "x"}),
            json!({}),
            "Expected a value of type 'Integer'",
        ),
        (
            json!({"type": "string"}),
            json!({"It": null}),
            "received a value of type 'Null'",
        ),
        (
            json!({"type": "strng"}),
            json!({"It": "a"}),
            "there is no type 'strng'",
        ),
        (json!({}), json!({"It": "a"}), "it has no 'type'"),
        (
            json!({"$ref": "#/definitions/a"}),
            json!({"It": "a"}),
            "'$ref' are not supported here",
        ),
        (
            json!({"type": "string", "allowedValues": ["a", "b"]}),
            json!({"It": "c"}),
            "The provided value 'c' for the template parameter 'It'",
        ),
        (
            json!({"type": "string", "allowedValues": ["a", "b"]}),
            json!({"It": "c"}),
            "not part of the allowed value(s): 'a,b'",
        ),
        (
            json!({"type": "array", "allowedValues": ["a"]}),
            json!({"It": ["a", "c"]}),
            "not part of the allowed",
        ),
    ]);
}

#[test]
fn parameters_beyond_their_bounds_are_refused() {
    all_refused(&[
        (
            json!({"type": "string", "minLength": 3}),
            json!({"It": "ab"}),
            "greater than or equal to '3'",
        ),
        (
            json!({"type": "array", "maxLength": 1}),
            json!({"It": [1, 2]}),
            "less than or equal to '1'",
        ),
        (
            json!({"type": "int", "minValue": 1}),
            json!({"It": 0}),
            "greater than or equal to '1'",
        ),
        (
            json!({"type": "int", "maxValue": 1}),
            json!({"It": 2}),
            "less than or equal to '1'",
        ),
        (
            json!({"type": "int", "maxValue": "x"}),
            json!({"It": 2}),
            "'maxValue' must be of type 'Integer'",
        ),
        (
            json!({"type": "string", "defaultValue": "[variables('a')]"}),
            json!({}),
            "'variables' is not expected at this location",
        ),
        (
            json!({"type": "string", "defaultValue": "[reference('a')]"}),
            json!({}),
            "'reference' is not expected at this location",
        ),
        (
            json!({"type": "string", "defaultValue": "[parameters('It')]"}),
            json!({}),
            "needs 'it', which needs it",
        ),
        (
            json!({"type": "string"}),
            json!({"It": "a", "other": "b"}),
            "The template parameters 'other' in the parameters file are not valid",
        ),
    ]);
}

#[test]
fn a_secure_value_is_never_told() {
    for declaration in [
        json!({"type": "securestring", "allowedValues": ["x"]}),
        json!({"type": "securestring", "minLength": 90}),
        json!({"type": "secureobject"}),
    ] {
        let error = error_of(with_parameter(declaration, json!({"It": "hunter2"})));
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn parameters_may_be_a_file_and_not_a_reference() {
    let template = json!({"resources": [], "parameters": {"a": {"type": "int"}}});
    let template = Template::from_value(template).unwrap();
    let plan_with = |given: Value| {
        gatewright_template::plan(&template, given.as_object().unwrap(), &common::scope())
    };
    let file =
        json!({"$schema": "x", "contentVersion": "1.0.0.0", "parameters": {"a": {"value": 4}}});
    assert_eq!(plan_with(file).unwrap().parameters()["a"]["value"], 4);
    let secret = json!({"a": {"reference": {"keyVault": {"id": "/x"}, "secretName": "s"}}});
    assert!(
        error_of(plan_with(secret))
            .message
            .contains("key vault are not supported here")
    );
    assert!(
        error_of(plan_with(json!({"a": 4})))
            .message
            .contains("an object with a 'value'")
    );
}

#[test]
fn defaults_and_variables_need_each_other_in_any_order() {
    let template = json!({
        "parameters": {
            "b": {"type": "string", "defaultValue": "[concat(parameters('a'), 'b')]"},
            "a": {"type": "string", "defaultValue": "a"},
            "id": {"type": "string", "defaultValue": "[newGuid()]"},
            "other": {"type": "string", "defaultValue": "[newGuid()]"},
        },
        "variables": {
            "z": "[concat(variables('y'), variables('x')[1])]",
            "y": "[parameters('B')]",
            "copy": [{"name": "x", "count": 2, "input": "[concat('x', copyIndex('x'))]"}],
            "inner": {"copy": [{"name": "list", "count": 2, "input": "[copyIndex('list', 1)]"}]},
        },
        "resources": [],
        "outputs": {
            "z": {"type": "string", "value": "[variables('z')]"},
            "inner": {"type": "object", "value": "[variables('inner')]"},
            "ids": {"type": "array", "copy": {"count": 2,
                "input": "[if(equals(copyIndex(), 0), parameters('id'), parameters('other'))]"}},
            "none": {"type": "string", "condition": "[equals(1, 2)]", "value": "x"},
            "secret": {"type": "secureString", "value": "x"},
        },
    });
    let outputs = planned(&template, json!({}))
        .unwrap()
        .outputs(&Echo::default())
        .unwrap();
    assert_eq!(outputs["z"]["value"], "abx1");
    assert_eq!(outputs["inner"]["value"], json!({"list": [1, 2]}));
    assert_eq!(outputs["secret"], json!({"type": "SecureString"}));
    assert!(!outputs.contains_key("none"));
    let ids = outputs["ids"]["value"].as_array().unwrap();
    assert!(ids[0] != ids[1] && ids[0].as_str().unwrap().len() == 36);
    assert_eq!(&ids[0].as_str().unwrap()[14..15], "4");
}

#[test]
fn circles_of_variables_are_refused() {
    let template = json!({"resources": [], "variables": {
        "a": "[variables('b')]", "b": {"x": "[variables('C')]"}, "c": ["[variables('a')]"],
    }});
    let error = refused(&template, json!({}));
    assert!(
        error
            .message
            .contains("The evaluation of 'c' needs 'a', which needs it"),
        "{error}"
    );
    assert_eq!(error.path, "properties.template.variables.c[0]");
    let template = json!({"resources": [], "variables": {"a": "[reference('x')]"}});
    assert!(
        refused(&template, json!({}))
            .message
            .contains("not expected at this location")
    );
}

#[test]
fn dependencies_come_first_however_they_are_written() {
    let by_id = "[resourceId('A.B/c', 'last')]";
    for name in ["last", "A.B/c/last", "a.b/C/LAST", by_id, "A.B/c/last/"] {
        let plan = planned(
            &of(json!([
                resource("first", json!({"dependsOn": [name]})),
                resource("last", json!({}))
            ])),
            json!({}),
        );
        assert_eq!(names(&plan.unwrap()), ["last", "first"], "{name}");
    }
}

#[test]
fn answers_keep_the_order_of_the_template() {
    let x = resource("x", json!({"dependsOn": ["y"]}));
    let z = resource("z", json!({"dependsOn": ["y", "x"]}));
    let plan = planned(&of(json!([x, resource("y", json!({})), z])), json!({})).unwrap();
    assert_eq!(names(&plan), ["y", "x", "z"]);
    let answered = plan.dependencies();
    let name = |at: usize, needed: usize| &answered[at]["dependsOn"][needed]["resourceName"];
    assert_eq!([name(0, 0), name(1, 0), name(1, 1)], ["y", "x", "y"]);
}

#[test]
fn references_imply_dependencies() {
    let reads = |expression: &str| {
        let first = resource("first", json!({"properties": {"x": [expression]}}));
        planned(&of(json!([first, resource("last", json!({}))])), json!({})).unwrap()
    };
    for expression in [
        "[reference('last').ip]",
        "[concat('a', reference(resourceId('A.B/c', 'last')).ip)]",
        "[if(equals(reference('/x/y', '1').ip, 'a'), 'b', reference('last').ip)]",
        "[concat(reference('/x/y', '1').ip, reference('last').ip)]",
        "[listKeys('last', '2020-01-01').key]",
        "[reference(concat('la', 'st')).ip]",
    ] {
        assert_eq!(names(&reads(expression)), ["last", "first"], "{expression}");
    }
    // An id with a version asks for what is there.
    let plan = reads("[reference(resourceId('A.B/c', 'last'), '2020-01-01').ip]");
    assert_eq!(names(&plan), ["first", "last"]);
    let plan = reads("[reference('last').ip]");
    let runtime = Echo::default();
    let body = plan.resources[1].body(&runtime).unwrap();
    assert_eq!(body, json!({"properties": {"x": ["10.0.0.1"]}}));
    assert_eq!(
        *runtime.0.borrow(),
        [format!("{GROUP}/providers/A.B/c/last 2020-01-01 false")]
    );
    assert_eq!(
        plan.dependencies()[0]["dependsOn"][0]["resourceName"],
        "last"
    );
    let full = reads("[reference('last', '2021-01-01', 'Full').asked]");
    let body = full.resources[1].body(&Echo::default()).unwrap();
    assert_eq!(
        body["properties"]["x"][0],
        format!("{GROUP}/providers/A.B/c/last 2021-01-01 true")
    );
}

#[test]
fn what_the_runtime_refuses_is_a_fault_of_the_body() {
    let first = resource(
        "first",
        json!({"properties": {"x": "[reference('/a/missing', '1').ip]"}}),
    );
    let plan = planned(&of(json!([first])), json!({})).unwrap();
    let error = plan.resources[0].body(&Echo::default()).unwrap_err();
    assert!(
        error
            .message
            .starts_with("Unable to process template language expressions for resource")
    );
    assert!(
        error
            .message
            .contains("The Resource '/a/missing' was not found."),
        "{error}"
    );
    assert_eq!(error.path, "properties.template.resources[0].properties.x");
    assert!(error.line > 1);
}

#[test]
fn circles_of_resources_are_refused() {
    let a = resource("a", json!({"dependsOn": ["b"]}));
    let b = resource("b", json!({"properties": {"x": "[reference('c').ip]"}}));
    let c = resource("c", json!({"dependsOn": ["A.B/c/b"]}));
    let error = refused(&of(json!([a, b, c])), json!({}));
    let expected = format!(
        "Deployment template validation failed: 'Circular dependency detected on resource: \
         '{GROUP}/providers/A.B/c/b'. Please see https://aka.ms/arm-syntax-resources for usage \
         details.'."
    );
    assert_eq!(error.message, expected);
    let itself = resource("a", json!({"dependsOn": ["a"]}));
    assert!(
        refused(&of(json!([itself])), json!({}))
            .message
            .contains("Circular")
    );
}

#[test]
fn loops_make_resources_and_are_waited_for() {
    let looped = resource(
        "[concat('n', copyIndex(1))]",
        json!({
            "copy": {"name": "All", "count": "[length(createArray(1, 2, 3))]"},
            "condition": "[not(equals(copyIndex(), 1))]",
            "properties": {
                "i": "[copyIndex('all')]",
                "copy": [{"name": "list", "count": 2,
                    "input": "[concat(copyIndex(), '-', copyIndex('list'))]"}],
            },
        }),
    );
    let after = resource("after", json!({"dependsOn": ["all"]}));
    let plan = planned(&of(json!([after, looped])), json!({})).unwrap();
    assert_eq!(names(&plan), ["n1", "n2", "n3", "after"]);
    assert_eq!(plan.resources[3].depends_on, [0, 1, 2]);
    let conditions: Vec<bool> = plan.resources.iter().map(|one| one.condition).collect();
    assert_eq!(conditions, [true, false, true, true]);
    let body = plan.resources[2].body(&Echo::default()).unwrap();
    assert_eq!(
        body,
        json!({"properties": {"i": 2, "list": ["2-0", "2-1"]}})
    );
    assert_eq!(plan.output_resources().as_array().unwrap().len(), 3);
}

#[test]
fn serial_loops_go_in_batches() {
    let looped = resource(
        "[concat('n', copyIndex())]",
        json!({
            "copy": {"name": "all", "count": 5, "mode": "Serial", "batchSize": 2},
        }),
    );
    let plan = planned(&of(json!([looped])), json!({})).unwrap();
    let waits: Vec<&[usize]> = plan
        .resources
        .iter()
        .map(|one| one.depends_on.as_slice())
        .collect();
    assert_eq!(waits, [&[][..], &[], &[0, 1], &[0, 1], &[2, 3]]);
    for (copy, words) in [
        (json!({"name": "a", "count": 801}), "from '0' to '800'"),
        (json!({"count": 1}), "must have a 'name'"),
        (json!({"name": "a"}), "Required property 'count'"),
        (
            json!({"name": "a", "count": 1, "mode": "odd"}),
            "'Serial' or 'Parallel'",
        ),
        (
            json!({"name": "a", "count": 1, "mode": "serial", "batchSize": 0}),
            "positive integer",
        ),
        (json!([]), "Required property 'count'"),
    ] {
        let error = refused(
            &of(json!([resource("x", json!({"copy": copy}))])),
            json!({}),
        );
        assert!(error.message.contains(words), "{copy}: {error}");
    }
}

#[test]
fn children_have_the_names_and_follow_their_parents() {
    let child =
        json!({"type": "d", "name": "child", "apiVersion": "1", "dependsOn": ["A.B/c/top"]});
    let full = json!({"type": "A.B/c/d", "name": "top/full", "apiVersion": "1"});
    let top = resource(
        "top",
        json!({"dependsOn": ["base"], "resources": [child, full]}),
    );
    let apart = json!({"type": "A.B/c/d", "name": "top/apart", "apiVersion": "1"});
    let by_end = resource("z", json!({"dependsOn": ["d/child"]}));
    let base = resource("base", json!({}));
    let plan = planned(&of(json!([apart, top, base, by_end])), json!({})).unwrap();
    assert_eq!(
        names(&plan),
        ["base", "top", "top/apart", "top/child", "top/full", "z"]
    );
    assert_eq!(
        plan.resources[3].id,
        format!("{GROUP}/providers/A.B/c/top/d/child")
    );
    assert_eq!(plan.resources[3].resource_type, "A.B/c/d");
    assert_eq!(plan.resources[5].depends_on, [3]);
    // That a child waits for its parent is not in the answer, unless the template says so.
    let answered: Vec<String> = plan
        .dependencies()
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["resourceName"].to_string())
        .collect();
    assert_eq!(answered, ["\"top\"", "\"top/child\"", "\"z\""]);
    assert_eq!(
        plan.providers(),
        json!([{"namespace": "A.B", "resourceTypes": [
            {"resourceType": "c/d", "locations": [null]}, {"resourceType": "c",
                "locations": [null]},
        ]}])
    );
    // A parent that waits for its child is odd, and not a circle.
    let parent = resource("p", json!({"dependsOn": ["A.B/c/p/d/e"]}));
    let child = json!({"type": "A.B/c/d", "name": "p/e", "apiVersion": "1"});
    assert_eq!(
        names(&planned(&of(json!([parent, child])), json!({})).unwrap()),
        ["p/e", "p"]
    );
}

#[test]
fn resources_that_cannot_be_are_refused() {
    for (one, words) in [
        (json!(1), "must be an object"),
        (
            json!({"name": "a", "apiVersion": "1"}),
            "Required property 'type' not found",
        ),
        (
            json!({"type": "A.B/c", "apiVersion": "1"}),
            "Required property 'name' not found",
        ),
        (
            json!({"type": "A.B/c", "name": "a"}),
            "Required property 'apiVersion' not found",
        ),
        (
            json!({"type": "A.B/c", "name": "a/b", "apiVersion": "1"}),
            "incorrect segment lengths",
        ),
        (
            json!({"type": "A.B/c", "name": "", "apiVersion": "1"}),
            "incorrect segment lengths",
        ),
        (
            json!({"type": "c", "name": "a", "apiVersion": "1"}),
            "incorrect segment lengths",
        ),
        (
            json!({"type": "A.B/c", "name": 5, "apiVersion": "1"}),
            "'name' must be of type 'String'",
        ),
        (
            resource("a", json!({"scope": "/x"})),
            "'scope' is not supported here",
        ),
        (
            resource("a", json!({"condition": 1})),
            "'condition' must be of type 'Boolean'",
        ),
        (
            resource("a", json!({"condition": "[reference('a').x]"})),
            "'reference' is not expected at this location",
        ),
        (
            resource("a", json!({"dependsOn": 5})),
            "'dependsOn' must be an array",
        ),
        (resource("a", json!({"dependsOn": [5]})), "must be a text"),
        (
            resource("a", json!({"dependsOn": ["A.B/c/x"]})),
            "The resource 'A.B/c/x' is not defined in the template",
        ),
        (
            resource("a", json!({"resources": 5})),
            "must be an array or an object",
        ),
        (
            resource("[parameters('x')]", json!({})),
            "The template parameter 'x' is not found",
        ),
        (
            resource("a", json!({"properties": {"x": "[reference('y')]"}})),
            "could not find template resource",
        ),
        (
            resource(
                "a",
                json!({"properties": {"x": "[concat(reference('a').x, nothing())]"}}),
            ),
            "'nothing' is not valid",
        ),
    ] {
        let error = refused(&of(json!([one])), json!({}));
        assert!(error.message.contains(words), "{one}: {error}");
        assert!(
            error.path.starts_with("properties.template.resources[0]"),
            "{error:?}"
        );
    }
}

#[test]
fn one_name_is_that_of_one_resource() {
    let twice = of(json!([resource("a", json!({})), resource("A", json!({}))]));
    assert!(
        refused(&twice, json!({}))
            .message
            .contains("'A.B/c/A' at line")
    );
    let either = json!([
        resource("a", json!({"condition": false})),
        resource("a", json!({}))
    ]);
    let needs = resource("b", json!({"dependsOn": ["a"]}));
    let plan = planned(&of(json!([either[0], either[1], needs])), json!({})).unwrap();
    assert_eq!(plan.resources[2].depends_on, [1]);
    let one_name = json!([resource("a", json!({})), {"type": "A.B/z", "name": "a",
        "apiVersion": "1"},
        resource("b", json!({"dependsOn": ["a"]}))]);
    assert!(
        refused(&of(one_name), json!({}))
            .message
            .contains("more than one resource")
    );
}

#[test]
fn a_body_is_not_looked_at_where_it_is_not_deployed() {
    let off = resource(
        "a",
        json!({"condition": false, "properties": {"x": "[variables('no')]"}}),
    );
    assert!(!planned(&of(json!([off])), json!({})).unwrap().resources[0].condition);
}

#[test]
fn symbolic_names() {
    let template = json!({
        "languageVersion": "2.0",
        "resources": {
            "user": resource("u", json!({
                "dependsOn": ["many", "old", "many[0]"],
                "properties": {"old": "[reference('old').ip]", "one": "[reference('many[1]').ip]"},
            })),
            "many": resource("[concat('m', copyIndex())]", json!({"copy": {"name": "loop",
                "count": 2}})),
            "old": {"existing": true, "type": "A.B/old", "name": "o", "apiVersion": "2019-01-01"},
        },
    });
    let plan = planned(&template, json!({})).unwrap();
    assert_eq!(names(&plan), ["m0", "m1", "u"]);
    assert_eq!(plan.resources[2].depends_on, [0, 1]);
    let runtime = Echo::default();
    plan.resources[2].body(&runtime).unwrap();
    assert_eq!(
        runtime.0.borrow()[0],
        format!("{GROUP}/providers/A.B/old/o 2019-01-01 false")
    );
    assert_eq!(
        runtime.0.borrow()[1],
        format!("{GROUP}/providers/A.B/c/m1 2020-01-01 false")
    );
}

fn nested(name: &str, scope: &str, template: Value, more: Value) -> Value {
    let mut deployment = json!({
        "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": name,
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": scope},
            "template": template,
        },
    });
    for (key, value) in more.as_object().unwrap() {
        match key.as_str() {
            "parameters" => deployment["properties"]["parameters"] = value.clone(),
            _ => deployment[key] = value.clone(),
        }
    }
    deployment
}

#[test]
fn a_deployment_knows_its_template() {
    let inner = json!({
        "parameters": {"q": {"type": "secureObject", "defaultValue": {"a": "hidden"}}},
        "resources": [],
    });
    let template = json!({
        "$schema": "s", "contentVersion": "1.2.3.4",
        "metadata": {"author": "me"},
        "parameters": {
            "p": {"type": "string", "defaultValue": "[deployment().name]"},
            "s": {"type": "securestring", "defaultValue": "hidden", "ALLOWEDVALUES": ["hidden"]},
        },
        "resources": [
            resource("one", json!({"properties": {
                "version": "[deployment().properties.template.contentVersion]",
                "first": "[deployment().properties.template.resources[0].name]",
            }})),
            nested("two", "inner", inner, json!({})),
        ],
        "outputs": {"all": {
            "type": "object", "value": "[deployment().properties.template]",
        }},
    });
    let plan = planned(&template, json!({"s": "hidden"})).unwrap();
    let body = plan.resources[0].body(&Echo::default()).unwrap();
    assert_eq!(
        body["properties"],
        json!({"version": "1.2.3.4", "first": "one"})
    );
    let outputs = plan.outputs(&Echo::default()).unwrap();
    let mut expected = template;
    expected["parameters"]["s"] = json!({"type": "securestring"});
    expected["resources"][1]["properties"]["template"]["parameters"]["q"] =
        json!({"type": "secureObject"});
    assert_eq!(Value::from(outputs)["all"]["value"], expected);
}

#[test]
fn nested_deployments_see_their_own_values_or_those_around() {
    let inner = json!({
        "parameters": {"p": {"type": "string"}},
        "variables": {"v": "inner"},
        "resources": [resource("[concat(variables('v'), parameters('p'))]", json!({
            "properties": {"d": "[deployment().name]", "g": "[resourceGroup().name]"},
        }))],
        "outputs": {"x": {"type": "string", "value": "[variables('v')]"}},
    });
    let outer = json!({
        "resources": [
            resource("[concat(variables('v'), copyIndex())]", json!({
                "properties": {"x": "[reference('top').ip]", "d": "[deployment().name]"},
            })),
        ],
    });
    let template = json!({
        "variables": {"v": "outer"},
        "resources": [
            nested("one", "inner", inner, json!({
                "parameters": {"p": {"value": "[reference('top').ip]"}}, "resourceGroup": "RG2",
            })),
            nested("[concat('two', copyIndex())]", "Outer", outer,
                json!({"copy": {"name": "l", "count": 2}})),
            resource("last", json!({"properties": {"y": "[reference('one').outputs.x.value]"}})),
            resource("top", json!({})),
        ],
    });
    let plan = planned(&template, json!({})).unwrap();
    assert_eq!(names(&plan), ["top", "one", "two0", "two1", "last"]);
    let runtime = Echo::default();
    assert!(plan.resources[0].nested(&runtime).unwrap().is_none());

    let one = &plan.resources[1];
    assert!(one.is_deployment());
    let rg2 = "/subscriptions/s-1/resourceGroups/rg2/providers";
    assert_eq!(one.id, format!("{rg2}/Microsoft.Resources/deployments/one"));
    assert!(
        one.body(&runtime).unwrap()["properties"]
            .get("template")
            .is_none()
    );
    let own = one.nested(&runtime).unwrap().unwrap();
    assert_eq!(own.resources[0].id, format!("{rg2}/A.B/c/inner10.0.0.1"));
    let body = own.resources[0].body(&runtime).unwrap();
    assert_eq!(body, json!({"properties": {"d": "one", "g": "rg2"}}));
    assert_eq!(own.outputs(&runtime).unwrap()["x"]["value"], "inner");

    let two = plan.resources[3].nested(&runtime).unwrap().unwrap();
    assert_eq!(
        two.resources[0].id,
        format!("{GROUP}/providers/A.B/c/outer1")
    );
    let path = "properties.template.resources[1].properties.template.resources[0]";
    assert_eq!(two.resources[0].path, path);
    let body = two.resources[0].body(&runtime).unwrap();
    assert_eq!(
        body,
        json!({"properties": {"x": "10.0.0.1", "d": "deploy1"}})
    );
}

#[test]
fn nested_deployments_are_checked_with_the_plan() {
    let around = |deployment: Value| refused(&of(json!([deployment])), json!({}));
    let bad =
        json!({"resources": [resource("a", json!({"properties": {"x": "[variables('v')]"}}))]});
    for scope in ["inner", "outer"] {
        let error = around(nested("n", scope, bad.clone(), json!({})));
        assert!(
            error
                .message
                .contains("The template variable 'v' is not found"),
            "{error}"
        );
        let path = "properties.template.resources[0].properties.template.resources[0].properties.x";
        assert_eq!(error.path, path);
        assert!(error.line > 10, "{error:?}");
    }
    let declares = json!({"parameters": {"p": {"type": "int"}}, "resources": []});
    let error = around(nested("n", "inner", declares, json!({"parameters": {}})));
    assert!(error.message.contains("'p' at line"), "{error}");
    let mut linked = nested("n", "inner", json!(null), json!({}));
    linked["properties"]["templateLink"] = json!({"uri": "https://example.com/a.json"});
    assert!(
        around(linked)
            .message
            .contains("Linked templates are not supported here")
    );
    let mut complete = nested("n", "inner", json!({"resources": []}), json!({}));
    complete["properties"]["mode"] = json!("complete");
    assert!(
        around(complete)
            .message
            .contains("'Complete' is not supported")
    );
    let none = nested("n", "inner", json!(null), json!({}));
    assert!(around(none).message.contains("must have a 'template'"));
    let empty = || json!({"resources": []});
    let elsewhere = nested("n", "inner", empty(), json!({"resourceGroup": "rg9"}));
    assert!(
        around(elsewhere)
            .message
            .contains("Resource group 'rg9' could not be found")
    );
    let abroad = nested("n", "inner", empty(), json!({"subscriptionId": "s-2"}));
    assert!(around(abroad).message.contains("another subscription"));
    let mut deep = empty();
    for _ in 0..5 {
        deep = of(json!([nested("n", "inner", deep, json!({}))]));
    }
    assert!(planned(&deep, json!({})).is_ok());
    deep = of(json!([nested("n", "inner", deep, json!({}))]));
    assert!(
        refused(&deep, json!({}))
            .message
            .contains("'5' deployments inside each other")
    );
}

#[test]
fn outputs_are_checked_with_the_plan() {
    for (output, words) in [
        (json!({"value": 1}), "it has no 'type'"),
        (json!({"type": "x", "value": 1}), "there is no type 'x'"),
        (json!({"type": "int"}), "it has no 'value'"),
        (
            json!({"type": "int", "value": "a"}),
            "expected a value of type 'Int'",
        ),
        (
            json!({"type": "int", "value": "[variables('v')]"}),
            "The template variable 'v' is not found",
        ),
        (
            json!({"type": "int", "condition": 1, "value": 1}),
            "must be of type 'Boolean'",
        ),
        (
            json!({"type": "array", "copy": {"count": 1}}),
            "must have an 'input'",
        ),
        (
            json!({"type": "array", "copy": {"input": 1}}),
            "Required property 'count'",
        ),
    ] {
        let template = json!({"resources": [], "outputs": {"out": output}});
        let error = refused(&template, json!({}));
        assert!(
            error
                .message
                .contains("The template output 'out' is not valid"),
            "{error}"
        );
        assert!(error.message.contains(words), "{output}: {error}");
        assert!(
            error.path.starts_with("properties.template.outputs.out"),
            "{error:?}"
        );
    }
    let template = json!({"resources": [], "outputs": {
        "late": {"type": "int", "value": "[reference('/a', '1').ip]"},
    }});
    let plan = planned(&template, json!({})).unwrap();
    let error = plan.outputs(&Echo::default()).unwrap_err();
    assert!(
        error.message.contains("expected a value of type 'Int'"),
        "{error}"
    );
}
