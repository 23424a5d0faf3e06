//! A table for each function: what it answers, and what it refuses.

mod common;

use common::{NOW, evaluated, message, value};
use serde_json::{Value, json};

fn good(table: &[(&str, Value)]) {
    for (expression, expected) in table {
        assert_eq!(&value(expression), expected, "{expression}");
    }
}

fn bad(table: &[(&str, &str)]) {
    for (expression, words) in table {
        let message = message(expression);
        assert!(message.contains(words), "{expression}: {message}");
    }
}

#[test]
fn literals_and_access() {
    good(&[
        ("'it''s'", json!("it's")),
        ("-5", json!(-5)),
        ("1.5", json!(1.5)),
        ("VARIABLES('LIST')[1]", json!("b")),
        ("variables('list')[2].name", json!("c")),
        ("variables('tree').a.B[add(0, 1)]", json!(20)),
        ("variables('tree')['a']['b'][0]", json!(10)),
        ("variables('tree').?x.?y", json!(null)),
        ("variables('list')[?9]", json!(null)),
        ("createObject('A', createArray(1, 2)).a[1]", json!(2)),
        ("createObject('a', 1).?b", json!(null)),
        ("createArray(1)[?1]", json!(null)),
        ("parameters('TEXT')", json!("Text")),
        (" sys.concat( 'a' , 'b' ) ", json!("ab")),
    ]);
}

#[test]
fn expressions_that_are_refused() {
    bad(&[
        (
            "variables('tree').x",
            "property 'x' doesn't exist, available properties are 'A, null'",
        ),
        (
            "createObject('a', 1).b",
            "property 'b' doesn't exist, available properties are 'a'",
        ),
        ("variables('list')[3]", "array index '3' is out of bounds"),
        ("createArray(1)[-1]", "array index '-1' is out of bounds"),
        (
            "variables('list').x",
            "a value of type 'Array' has no property of type 'String'",
        ),
        (
            "variables('tree').null.x",
            "a value of type 'Null' has no property of type 'String'",
        ),
        (
            "'a'[0]",
            "a value of type 'String' has no property of type 'Integer'",
        ),
        ("variables('no')", "The template variable 'no' is not found"),
        (
            "parameters('no')",
            "The template parameter 'no' is not found",
        ),
        (
            "parameters(1)",
            "'parameters' expects its first parameter to be of type 'String'",
        ),
        (
            "concatenate('a')",
            "The template function 'concatenate' is not valid",
        ),
        (
            "managementGroup()",
            "The template function 'managementGroup' is not supported here",
        ),
        (
            "concat()",
            "the function takes at least 1 parameters, and '0' are given",
        ),
        (
            "not(true(), true())",
            "the function takes exactly one parameter, and '2' are given",
        ),
        ("true(1)", "the function takes no parameters"),
        ("substring('a')", "the function takes 2 to 3 parameters"),
        ("add(1)", "the function takes exactly 2 parameters"),
        (
            "concat('a', ",
            "expected token 'Identifier' and actual 'EndOfData' at position '13'",
        ),
        (
            "concat('a', nothing('b'))",
            "(character 14 of '[concat('a', nothing('b'))]')",
        ),
        (
            "if(true(), 1, nothing())",
            "The template function 'nothing' is not valid",
        ),
    ]);
}

#[test]
fn texts_of_a_template() {
    for (raw, expected) in [
        (json!("[[x]"), json!("[x]")),
        (json!("[x"), json!("[x")),
        (
            json!({"[concat('a', 'b')]": "[true()]"}),
            json!({"ab": true}),
        ),
        (
            json!({"zones": null, "tags": {}, "n": 1.0}),
            json!({"zones": null, "tags": {}, "n": 1.0}),
        ),
        (
            json!({"copy": [{"name": "c", "count": 2, "input": "[copyIndex('C', 5)]"}], "d": 1}),
            json!({"c": [5, 6], "d": 1}),
        ),
        (
            json!({"copy": [{"name": "c", "count": 2, "input": {"copy": [
                {"name": "d", "count": 2, "input": "[add(mul(copyIndex('c'), 10), \
                    copyIndex('d'))]"},
            ]}}]}),
            json!({"c": [{"d": [0, 1]}, {"d": [10, 11]}]}),
        ),
        (json!({"copy": "itself"}), json!({"copy": "itself"})),
        (
            json!({"copy": [{"name": "c", "count": 0, "input": 1}]}),
            json!({"c": []}),
        ),
    ] {
        assert_eq!(evaluated(&raw).unwrap(), expected, "{raw}");
    }
    for (raw, words) in [
        (json!({"[true()]": 1}), "must be of type 'String'"),
        (
            json!({"copy": [{"name": "c", "count": -1, "input": 1}]}),
            "integer from '0' to '800'",
        ),
        (
            json!({"copy": [{"name": "c", "count": 801, "input": 1}]}),
            "integer from '0' to '800'",
        ),
        (
            json!({"copy": [{"name": "c", "input": 1}]}),
            "Required property 'count' not found",
        ),
        (
            json!({"copy": [{"name": 1, "count": 1, "input": 1}]}),
            "name of a copy loop",
        ),
        (
            json!("[copyIndex()]"),
            "can only be used in a resource or property with copy",
        ),
    ] {
        let error = evaluated(&raw).unwrap_err();
        assert!(error.message.contains(words), "{raw}: {error}");
    }
}

#[test]
fn user_functions() {
    good(&[
        ("contoso.twice('ab')", json!("abab")),
        ("CONTOSO.Twice(contoso.twice('a'))", json!("aaaa")),
    ]);
    // However often: each call gives back the depth that it took.
    let calls = vec!["contoso.pair()[1][0]"; 200].join(", ");
    assert_eq!(value(&format!("length(concat({calls}))")), json!(200));
    bad(&[
        (
            "contoso.twice()",
            "the function takes '1' parameters, and '0' are given",
        ),
        (
            "contoso.thrice('a')",
            "The template function 'contoso.thrice' is not valid",
        ),
        (
            "contoso.wrong()",
            "'variables' is not expected at this location",
        ),
        (
            "contoso.asks()",
            "'reference' is not expected at this location",
        ),
    ]);
}

#[test]
fn logic() {
    good(&[
        ("true()", json!(true)),
        ("false()", json!(false)),
        ("null()", json!(null)),
        ("not(false())", json!(true)),
        ("and(true(), true(), false())", json!(false)),
        ("and(false(), variables('tree').x)", json!(false)),
        ("or(false(), true())", json!(true)),
        ("or(false(), false())", json!(false)),
        ("bool('TRUE')", json!(true)),
        ("bool('0')", json!(false)),
        ("bool(1)", json!(true)),
        ("if(true(), 'a', variables('tree').x)", json!("a")),
        ("if(false(), variables('tree').x, 'b')", json!("b")),
        ("coalesce(null(), 'a', variables('tree').x)", json!("a")),
        ("coalesce(null(), null())", json!(null)),
        ("equals('a', 'A')", json!(false)),
        (
            "equals(createArray(1, 'a'), createArray(1, 'a'))",
            json!(true),
        ),
        ("equals(1, '1')", json!(false)),
        ("less(1, 2)", json!(true)),
        ("lessOrEquals(2, 2)", json!(true)),
        ("greater('b', 'a')", json!(true)),
        ("greaterOrEquals(1, 2)", json!(false)),
    ]);
    bad(&[
        (
            "not('true')",
            "'not' expects its first parameter to be of type 'Boolean'",
        ),
        (
            "and(true(), 1)",
            "'and' expects its second parameter to be of type 'Boolean'",
        ),
        (
            "or(1, true())",
            "'or' expects its first parameter to be of type 'Boolean'",
        ),
        ("if('yes', 1, 2)", "The provided value is of type 'String'"),
        ("bool('yes')", "neither a boolean"),
        (
            "less(1, 'a')",
            "'less' expects its second parameter to be of type 'Integer'",
        ),
        (
            "less('a', 1)",
            "'less' expects its second parameter to be of type 'String'",
        ),
        ("less(null(), 1)", "The provided value is of type 'Null'"),
    ]);
}

#[test]
fn numbers() {
    good(&[
        ("add(2, -3)", json!(-1)),
        ("sub(2, 3)", json!(-1)),
        ("mul(4, 5)", json!(20)),
        ("div(-7, 2)", json!(-3)),
        ("mod(-7, 2)", json!(-1)),
        ("min(3, 1, 2)", json!(1)),
        ("max(createArray(3, 1, 2))", json!(3)),
        ("range(3, 3)", json!([3, 4, 5])),
        ("range(0, 0)", json!([])),
        ("length(range(1, 10000))", json!(10_000)),
        ("int('42')", json!(42)),
        ("int(7)", json!(7)),
        ("int(1.9)", json!(1)),
        ("float('2.5')", json!(2.5)),
        ("float(2)", json!(2.0)),
    ]);
    bad(&[
        ("add(9223372036854775807, 1)", "no integer of 64 bits"),
        ("div(1, 0)", "the divisor is zero"),
        ("mod(1, 0)", "the divisor is zero"),
        ("div(-9223372036854775808, -1)", "no integer of 64 bits"),
        (
            "add('1', 1)",
            "'add' expects its first parameter to be of type 'Integer'",
        ),
        ("add(1.5, 1)", "The provided value is of type 'Float'"),
        ("min(createArray())", "the array is empty"),
        ("max(createArray('a'))", "to be of type 'Integer'"),
        ("range(0, 10001)", "must not exceed '10000'"),
        ("range(0, -1)", "must not be negative"),
        ("range(2147483647, 2)", "is too large"),
        ("int('4x')", "not the text of an integer"),
        ("int(true())", "to be of type 'String'"),
        ("float('NaN')", "not the text of a number"),
    ]);
}

#[test]
fn texts() {
    good(&[
        ("concat('a', 1, true(), 'é')", json!("a1Trueé")),
        ("toLower('ÀB')", json!("àb")),
        ("toUpper('àb')", json!("ÀB")),
        ("trim('  a ')", json!("a")),
        ("startsWith('abc', 'AB')", json!(true)),
        ("endsWith('abc', 'BC')", json!(true)),
        ("endsWith('abc', 'a')", json!(false)),
        ("replace('a.b.c', '.', '--')", json!("a--b--c")),
        ("substring('héllo', 1, 3)", json!("éll")),
        ("substring('hello', 2)", json!("llo")),
        ("substring('abc', 3)", json!("")),
        ("padLeft('7', 3, '0')", json!("007")),
        ("padLeft(7, 3)", json!("  7")),
        ("padLeft('long', 2)", json!("long")),
        ("split('a,b;c', ',')", json!(["a", "b;c"])),
        (
            "split('a,b;c', createArray(',', ';'))",
            json!(["a", "b", "c"]),
        ),
        ("split('abc', '')", json!(["abc"])),
        ("join(createArray('a', 1, 'b'), '-')", json!("a-1-b")),
        ("indexOf('Hello', 'L')", json!(2)),
        ("indexOf('hello', 'x')", json!(-1)),
        ("lastIndexOf('hello', 'L')", json!(3)),
        ("indexOf('éa', 'a')", json!(1)),
        ("indexOf(createArray('a', 'b', 'a'), 'a')", json!(0)),
        ("lastIndexOf(createArray('a', 'b', 'a'), 'a')", json!(2)),
        (
            "string(createObject('a', createArray(1, null())))",
            json!("{\"a\":[1,null]}"),
        ),
        ("string(1)", json!("1")),
        ("string(true())", json!("True")),
        ("format('{0}-{1}-{0}', 'a', 2)", json!("a-2-a")),
        ("format('{{{0}}}', 'a')", json!("{a}")),
        (
            "format('{0:N} {0:N0} {0:D8} {0:X} {0:x4} {0:F1} {0:0000}', 1234567)",
            json!("1,234,567.00 1,234,567 01234567 12D687 12d687 1234567.0 1234567"),
        ),
        ("format('{0,4}|{0,-4}|', 'a')", json!("   a|a   |")),
        ("format('{0:N1}', -1234.56)", json!("-1,234.6")),
        ("format('{0}', true())", json!("True")),
        ("base64('Hello')", json!("SGVsbG8=")),
        ("base64ToString('SGVsbG8=')", json!("Hello")),
        ("base64ToJson(base64('{\"a\": 1}')).a", json!(1)),
        ("json('{\"a\": [1, null]}').a[0]", json!(1)),
        ("json('null')", json!(null)),
        (
            "dataUri('Hello')",
            json!("data:text/plain;charset=utf8;base64,SGVsbG8="),
        ),
        ("dataUriToString(dataUri('Hello'))", json!("Hello")),
        ("dataUriToString('data:,a%20b')", json!("a b")),
        ("uriComponent('a b/é?')", json!("a%20b%2F%C3%A9%3F")),
        ("uriComponentToString('a%20b%2F%C3%A9%')", json!("a b/é%")),
        (
            "uri('https://a.test/b/', 'c.json')",
            json!("https://a.test/b/c.json"),
        ),
        (
            "uri('https://a.test/b', 'c.json')",
            json!("https://a.test/c.json"),
        ),
        ("uri('https://a.test', 'c')", json!("https://a.test/c")),
        (
            "uri('https://a.test/b/d/', '../c?x=/y')",
            json!("https://a.test/b/c?x=/y"),
        ),
        ("uri('https://a.test/b/', '/c')", json!("https://a.test/c")),
        (
            "uri('https://a.test/b/', 'http://b.test/')",
            json!("http://b.test/"),
        ),
    ]);
}

#[test]
fn texts_that_are_refused() {
    bad(&[
        (
            "concat('a', null())",
            "to be of type 'String'. The provided value is of type 'Null'",
        ),
        (
            "concat('a', createArray())",
            "The provided value is of type 'Array'",
        ),
        (
            "toLower(1)",
            "'toLower' expects its first parameter to be of type 'String'",
        ),
        ("replace('a', '', 'b')", "must not be empty"),
        (
            "substring('abc', 2, 2)",
            "The index parameter: '2', the length parameter: '2', the length of the string \
                parameter: '3'",
        ),
        ("substring('abc', -1)", "must not be negative"),
        ("padLeft('a', 3, 'ab')", "must be one character"),
        ("padLeft('a', 5000000)", "more than '4194304' bytes"),
        ("split(1, ',')", "'split' expects its first parameter"),
        ("split('a', 1)", "'split' expects its second parameter"),
        ("join('a', ',')", "to be of type 'Array'"),
        ("format('{1}', 'a')", "'{1}' names no argument"),
        ("format('{0', 'a')", "has no partner"),
        ("format('}', 'a')", "has no partner"),
        ("format('{x}', 'a')", "'{x}' is no item"),
        ("format('{0:Q}', 1)", "'{0:Q}' is no item"),
        ("format('{0,99999}', 1)", "is no item"),
        ("format('{0:D99999}', 1)", "is no item"),
        ("base64ToString('%')", "the value is not Base64"),
        ("base64ToString('/w==')", "not UTF-8"),
        ("json('{')", "the text is not JSON"),
        ("dataUriToString('x')", "no data URI"),
        ("uri('a', 'b')", "the base must be a URI"),
        (
            "uriComponentToString('%FF')",
            "not a URI component in UTF-8",
        ),
    ]);
}

#[test]
fn arrays_and_objects() {
    good(&[
        ("array('a')", json!(["a"])),
        ("array(createArray(1))", json!([1])),
        ("createArray()", json!([])),
        (
            "concat(createArray(1), createArray(2, 3))",
            json!([1, 2, 3]),
        ),
        ("length(variables('list'))", json!(3)),
        ("length('héé')", json!(3)),
        ("length(variables('tree'))", json!(2)),
        ("empty('')", json!(true)),
        ("empty(null())", json!(true)),
        ("empty(createArray(1))", json!(false)),
        ("contains('abc', 'b')", json!(true)),
        ("contains('abc', 'B')", json!(false)),
        ("contains(createArray('a', 1), 1)", json!(true)),
        ("contains(variables('tree'), 'a')", json!(true)),
        ("first('abc')", json!("a")),
        ("first('')", json!("")),
        ("first(createArray())", json!(null)),
        ("last(createArray(1, 2))", json!(2)),
        ("last('abc')", json!("c")),
        ("take('abc', 2)", json!("ab")),
        ("take(createArray(1, 2), -1)", json!([])),
        ("take(createArray(1, 2), 9)", json!([1, 2])),
        ("skip('abc', 1)", json!("bc")),
        ("skip(createArray(1, 2, 3), 2)", json!([3])),
        (
            "union(createArray(1, 2, 1), createArray(2, 3))",
            json!([1, 2, 3]),
        ),
        (
            "union(json('{\"a\":{\"b\":1,\"c\":[1]}}'), json('{\"a\":{\"c\":[2],\"d\":3}}'))",
            json!({"a": {"b": 1, "c": [2], "d": 3}}),
        ),
        (
            "intersection(createArray(1, 2, 2, 3), createArray(3, 2))",
            json!([2, 3]),
        ),
        (
            "intersection(json('{\"a\":1,\"b\":2}'), json('{\"a\":1,\"b\":3}'))",
            json!({"a": 1}),
        ),
        (
            "flatten(createArray(createArray(1), createArray(2, createArray(3))))",
            json!([1, 2, [3]]),
        ),
        (
            "createObject('a', 1, 'b', null())",
            json!({"a": 1, "b": null}),
        ),
        ("createObject()", json!({})),
        (
            "items(json('{\"b\":1,\"A\":2}'))",
            json!([{"key": "A", "value": 2}, {"key": "b", "value": 1}]),
        ),
        ("objectKeys(variables('tree'))", json!(["A", "null"])),
        (
            "shallowMerge(createArray(json('{\"a\":{\"b\":1}}'), json('{\"a\":{\"c\":2}}')))",
            json!({"a": {"c": 2}}),
        ),
        ("tryGet(variables('tree'), 'a', 'B', 1)", json!(20)),
        ("tryGet(variables('tree'), 'x', 'y')", json!(null)),
        ("tryGet(variables('list'), 9)", json!(null)),
    ]);
}

#[test]
fn arrays_and_objects_that_are_refused() {
    bad(&[
        (
            "concat(createArray(1), 'a')",
            "'concat' expects its second parameter to be of type 'Array'",
        ),
        ("length(1)", "'length' expects its first parameter"),
        ("empty(1)", "'empty' expects its first parameter"),
        ("contains(1, 1)", "'contains' expects its first parameter"),
        (
            "contains('a', true())",
            "'contains' expects its second parameter",
        ),
        ("first(1)", "'first' expects"),
        (
            "take('a', 'b')",
            "'take' expects its second parameter to be of type 'Integer'",
        ),
        (
            "union(createArray(1), createObject())",
            "'union' expects its second parameter to be of type 'Array'",
        ),
        ("union('a', 'b')", "to be of type 'Object'"),
        (
            "intersection(createObject(), createArray())",
            "to be of type 'Object'",
        ),
        ("flatten(createArray(1))", "to be of type 'Array'"),
        ("createObject('a')", "a value for each name"),
        ("createObject(1, 2)", "to be of type 'String'"),
        ("items(createArray())", "to be of type 'Object'"),
        (
            "shallowMerge(createArray(1))",
            "The provided value is of type 'Integer'",
        ),
        ("indexOf(1, 2)", "to be of type 'Array'"),
    ]);
}

#[test]
fn lambdas() {
    good(&[
        (
            "map(range(1, 3), lambda('x', mul(lambdaVariables('X'), 2)))",
            json!([2, 4, 6]),
        ),
        (
            "map(createArray('a', 'b'), lambda('x', 'i', lambdaVariables('i')))",
            json!([0, 1]),
        ),
        (
            "map(range(0, 2), lambda('x', map(range(0, 2), lambda('y', \
                add(mul(lambdaVariables('x'), 10), lambdaVariables('y'))))))",
            json!([[0, 1], [10, 11]]),
        ),
        (
            "filter(range(0, 6), lambda('x', equals(mod(lambdaVariables('x'), 2), 0)))",
            json!([0, 2, 4]),
        ),
        (
            "reduce(range(1, 4), 0, lambda('sum', 'x', add(lambdaVariables('sum'), \
                lambdaVariables('x'))))",
            json!(10),
        ),
        (
            "reduce(createArray(), 'none', lambda('a', 'b', lambdaVariables('a')))",
            json!("none"),
        ),
        (
            "sort(createArray(3, 1, 5, 2, 4), lambda('a', 'b', less(lambdaVariables('a'), \
                lambdaVariables('b'))))",
            json!([1, 2, 3, 4, 5]),
        ),
        (
            "sort(createArray('b1', 'a1', 'b0', 'a0'), lambda('a', 'b', \
                less(first(lambdaVariables('a')), first(lambdaVariables('b')))))",
            json!(["a1", "a0", "b1", "b0"]),
        ),
        (
            "toObject(createArray('a', 'b'), lambda('x', toUpper(lambdaVariables('x'))), \
                lambda('x', length(lambdaVariables('x'))))",
            json!({"A": 1, "B": 1}),
        ),
        (
            "toObject(createArray('a'), lambda('x', lambdaVariables('x')))",
            json!({"a": "a"}),
        ),
        (
            "groupBy(createArray('ab', 'b', 'ac'), lambda('x', first(lambdaVariables('x'))))",
            json!({"a": ["ab", "ac"], "b": ["b"]}),
        ),
        (
            "mapValues(createObject('a', 1), lambda('x', add(lambdaVariables('x'), 1)))",
            json!({"a": 2}),
        ),
    ]);
}

#[test]
fn lambdas_that_are_refused() {
    bad(&[
        ("map(1, lambda('x', 1))", "to be of type 'Array'"),
        ("map(createArray(1), 1)", "expects a lambda"),
        (
            "map(createArray(1), lambda())",
            "the function takes at least 1 parameters",
        ),
        ("map(createArray(1), lambda(1, 2))", "expects a lambda"),
        (
            "map(createArray(1), lambda('a', 'b', 'c', 1))",
            "more variables than there are values",
        ),
        (
            "lambda('x', 1)",
            "'lambda' is not expected at this location",
        ),
        (
            "lambdaVariables('x')",
            "The lambda variable 'x' is not found",
        ),
        (
            "filter(createArray(1), lambda('x', 1))",
            "must return a value of type 'Boolean'",
        ),
        (
            "sort(createArray(1, 2), lambda('a', 'b', 1))",
            "must return a value of type 'Boolean'",
        ),
        (
            "toObject(createArray(1), lambda('x', null()))",
            "must return the name of a property",
        ),
    ]);
}

#[test]
fn ids_and_scopes() {
    let id = "/subscriptions/s-1/resourceGroups/rg1/providers/Microsoft.Network/virtualNetworks/v";
    good(&[
        (
            "resourceId('Microsoft.Network/virtualNetworks', 'v')",
            json!(id),
        ),
        (
            "resourceId('Microsoft.Network/virtualNetworks/subnets', 'v', 's')",
            json!(format!("{id}/subnets/s")),
        ),
        (
            "resourceId('rg9', 'A.B/c', 'd')",
            json!("/subscriptions/s-1/resourceGroups/rg9/providers/A.B/c/d"),
        ),
        (
            "resourceId('s-9', 'rg9', 'A.B/c', 'd')",
            json!("/subscriptions/s-9/resourceGroups/rg9/providers/A.B/c/d"),
        ),
        (
            "subscriptionResourceId('A.B/c', 'd')",
            json!("/subscriptions/s-1/providers/A.B/c/d"),
        ),
        (
            "subscriptionResourceId('s-9', 'A.B/c', 'd')",
            json!("/subscriptions/s-9/providers/A.B/c/d"),
        ),
        (
            "tenantResourceId('A.B/c', 'd')",
            json!("/providers/A.B/c/d"),
        ),
        (
            "extensionResourceId('/a/b/', 'A.B/c/d', 'e', 'f')",
            json!("/a/b/providers/A.B/c/e/d/f"),
        ),
        (
            "resourceGroup().id",
            json!("/subscriptions/s-1/resourceGroups/rg1"),
        ),
        ("resourceGroup().location", json!("westus")),
        ("subscription().subscriptionId", json!("s-1")),
        ("subscription().tenantId", json!("t-1")),
        ("tenant().tenantId", json!("t-1")),
        ("deployment().name", json!("deploy1")),
        ("environment().suffixes.storage", json!("core.test")),
        (
            "providers('microsoft.network', 'VirtualNetworks').locations",
            json!(["westus"]),
        ),
        (
            "providers('Microsoft.Network').namespace",
            json!("Microsoft.Network"),
        ),
        (
            "pickZones('Microsoft.Compute', 'virtualMachines', 'westus')",
            json!(["1"]),
        ),
        (
            "pickZones('Microsoft.Compute', 'virtualMachines', 'westus', 2, 1)",
            json!(["2", "3"]),
        ),
    ]);
}

#[test]
fn ids_and_scopes_that_are_refused() {
    bad(&[
        (
            "resourceId('Microsoft.Network/virtualNetworks', 'v', 's')",
            "the type 'Microsoft.Network/virtualNetworks' requires '1' resource name argument(s)",
        ),
        (
            "resourceId('v', 'w')",
            "'resourceId': the third parameter is missing",
        ),
        (
            "resourceId('a', 'b', 'c')",
            "must have the form 'Namespace/type'",
        ),
        (
            "resourceId('A//b', 'c', 'd')",
            "must have the form 'Namespace/type'",
        ),
        ("tenantResourceId('A.B', 'c')", "must have the form"),
        ("resourceId(1, 'c')", "to be of type 'String'"),
        ("providers('No')", "is not known"),
        ("providers('Microsoft.Network', 'no')", "is not known"),
        ("pickZones('a', 'b', 'c', 4)", "the zones '1' to '3'"),
        ("pickZones('a', 'b', 'c', 0)", "the zones '1' to '3'"),
        ("newGuid()", "can only be used as a default value"),
        ("utcNow()", "can only be used as a default value"),
        (
            "reference('nothing')",
            "The template reference 'nothing' is not valid: could not find",
        ),
        (
            "reference('/a', '1', 'half')",
            "the third parameter must be 'Full'",
        ),
        (
            "listKeys('/a/b', '1')",
            "The template function 'listKeys' is not supported here for '/a/b'",
        ),
    ]);
}

#[test]
fn names_from_texts_are_the_same_for_the_same_texts() {
    let unique = value("uniqueString('a', 'b')");
    let text = unique.as_str().unwrap();
    assert_eq!(text.len(), 13);
    assert!(
        text.bytes()
            .all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte))
    );
    assert_eq!(unique, value("uniqueString('a', 'b')"));
    for other in [
        "uniqueString('ab')",
        "uniqueString('b', 'a')",
        "uniqueString('a', 'c')",
    ] {
        assert_ne!(unique, value(other), "{other}");
    }
    let guid = value("guid('a')");
    let text = guid.as_str().unwrap();
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert!(text[14..].starts_with('5') && "89ab".contains(&text[19..20]));
    assert_eq!(guid, value("guid('a')"));
    assert_ne!(guid, value("guid('b')"));
    bad(&[
        ("guid(1)", "to be of type 'String'"),
        ("uniqueString(null())", "to be of type 'String'"),
    ]);
}

#[test]
fn networks() {
    good(&[
        ("cidrSubnet('10.0.0.0/16', 24, 3)", json!("10.0.3.0/24")),
        ("cidrSubnet('10.0.0.7/16', 16, 0)", json!("10.0.0.0/16")),
        (
            "cidrSubnet('2001:db8::/32', 48, 1)",
            json!("2001:db8:1::/48"),
        ),
        ("cidrSubnet('::/0', 0, 0)", json!("::/0")),
        ("cidrHost('10.0.0.0/24', 0)", json!("10.0.0.1")),
        ("cidrHost('10.0.0.0/24', 253)", json!("10.0.0.254")),
        ("cidrHost('10.0.0.0/31', 1)", json!("10.0.0.1")),
        ("cidrHost('10.0.0.9/32', 0)", json!("10.0.0.9")),
        ("cidrHost('2001:db8::/64', 0)", json!("2001:db8::")),
        (
            "parseCidr('10.144.0.0/20')",
            json!({
                "network": "10.144.0.0", "netmask": "255.255.240.0", "broadcast": "10.144.15.255",
                "firstUsable": "10.144.0.1", "lastUsable": "10.144.15.254", "cidr": 20,
            }),
        ),
        ("parseCidr('0.0.0.0/0').netmask", json!("0.0.0.0")),
        ("parseCidr('10.0.0.1/32').lastUsable", json!("10.0.0.1")),
        (
            "parseCidr('2001:db8::/126').lastUsable",
            json!("2001:db8::3"),
        ),
    ]);
    bad(&[
        ("parseCidr('10.0.0.0')", "no address range"),
        ("parseCidr('10.0.0.0/33')", "no address range"),
        ("parseCidr('10.0.0/8')", "no address range"),
        ("parseCidr('10.0.0.0/+8')", "no address range"),
        (
            "cidrSubnet('10.0.0.0/16', 15, 0)",
            "the new prefix must be '16' to '32'",
        ),
        (
            "cidrSubnet('10.0.0.0/16', 24, 256)",
            "the range has no subnet '256'",
        ),
        ("cidrSubnet('::/0', 0, 1)", "the range has no subnet '1'"),
        (
            "cidrHost('10.0.0.0/24', 254)",
            "the range has no host '254'",
        ),
        ("cidrHost('10.0.0.0/32', 1)", "the range has no host '1'"),
    ]);
}

#[test]
fn dates() {
    good(&[
        ("dateTimeFromEpoch(0)", json!("1970-01-01T00:00:00Z")),
        (
            "dateTimeFromEpoch(951782400)",
            json!("2000-02-29T00:00:00Z"),
        ),
        ("dateTimeToEpoch('2026-01-31T12:34:56Z')", json!(NOW)),
        ("dateTimeToEpoch('20260131T123456Z')", json!(NOW)),
        (
            "dateTimeToEpoch('2026-01-31 13:34:56.789+01:00')",
            json!(NOW),
        ),
        ("dateTimeToEpoch('2026-01-31')", json!(1_769_817_600)),
        (
            "dateTimeAdd('2026-01-31T12:34:56Z', 'P1M')",
            json!("2026-02-28T12:34:56Z"),
        ),
        (
            "dateTimeAdd('2026-01-31 12:34:56Z', '-P9D')",
            json!("2026-01-22 12:34:56Z"),
        ),
        (
            "dateTimeAdd('20260131T123456Z', 'P1Y2M3DT4H5M6S')",
            json!("20270403T164002Z"),
        ),
        (
            "dateTimeAdd('2026-01-31T00:00:00Z', 'PT1H', 'yyyy/M/d h tt \"at\" dddd MMM')",
            json!("2026/1/31 1 AM at Saturday Jan"),
        ),
        (
            "dateTimeAdd('2026-01-31T23:05:00Z', 'P1W', 'R')",
            json!("Sat, 07 Feb 2026 23:05:00 GMT"),
        ),
        (
            "dateTimeAdd('2026-01-31T23:05:00Z', 'PT0S', 'yy-HH:mm:ss.fffK')",
            json!("26-23:05:00.000Z"),
        ),
        (
            "dateTimeAdd('2026-01-31T23:05:00Z', 'PT0S', 'd')",
            json!("1/31/2026"),
        ),
    ]);
}

#[test]
fn dates_that_are_refused() {
    bad(&[
        ("dateTimeFromEpoch(999999999999)", "not one of 1 to 9999"),
        (
            "dateTimeToEpoch('2026-02-29T00:00:00Z')",
            "no date of ISO 8601",
        ),
        (
            "dateTimeToEpoch('2026-01-31T24:00:00Z')",
            "no date of ISO 8601",
        ),
        ("dateTimeToEpoch('é026-01-31')", "no date of ISO 8601"),
        ("dateTimeToEpoch('2026')", "no date of ISO 8601"),
        ("dateTimeAdd('2026-01-31', '1D')", "no duration of ISO 8601"),
        ("dateTimeAdd('2026-01-31', 'P')", "no duration of ISO 8601"),
        (
            "dateTimeAdd('2026-01-31', 'P1DT')",
            "no duration of ISO 8601",
        ),
        (
            "dateTimeAdd('2026-01-31', 'P9999999999Y')",
            "no duration of ISO 8601",
        ),
        ("dateTimeAdd('9999-12-31', 'P1D')", "not one of 1 to 9999"),
        (
            "dateTimeAdd('2026-01-31', 'P1D', 'Q')",
            "the format 'Q' is not supported here",
        ),
        (
            "dateTimeAdd('2026-01-31', 'P1D', '''yy')",
            "is not supported here",
        ),
    ]);
}
