//! The description of the API is true: its errors, limits, names and paths are those of the code.

use super::{
    refused,
    tests::{complaints, refusals},
};
use crate::{
    domain::{
        complaint::Complaint,
        form::{MAX_ANGLE, MAX_IMAGE, MAX_PIXELS, NAMES, OutputFormat, Rgba},
        refusal::{Refusal, Shortage},
        removebg,
        usage_report::UsageQuery,
    },
    edge::{dialect_headers, rate_limit},
    pages::openapi::TEXT,
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, time::Duration};

fn document() -> Value {
    serde_json::from_str(TEXT).unwrap()
}

/// The value, or the one that it refers to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    value["$ref"].as_str().map_or(value, |path| document.pointer(&path[1..]).unwrap_or_else(|| panic!("{path}")))
}

/// Whether a path is one of others' APIs, whose errors have forms of their own.
fn is_dialect(path: &str) -> bool {
    path.starts_with("/v1.0/") || path == "/api/remove"
}

/// The responses of all operations, and the two that belong to none, each with its status.
fn responses(document: &Value) -> Vec<(u16, &Value)> {
    responses_of(document, |_| true)
}

/// The same of the paths of our own form, or of others.
fn responses_of(document: &Value, is_meant: impl Fn(&str) -> bool) -> Vec<(u16, &Value)> {
    let mut found = Vec::new();
    for (_, _, operation) in operations(document).into_iter().filter(|(path, _, _)| is_meant(path)) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            found.push((status.parse().unwrap(), resolved(document, response)));
        }
    }
    for (name, status) in [("NotFound", 404), ("MethodNotAllowed", 405)] {
        found.push((status, &document["components"]["responses"][name]));
    }
    found
}

/// Path, method, operation.
fn operations(document: &Value) -> Vec<(&String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, methods)| methods.as_object().unwrap().iter().map(move |(m, op)| (path, m, op))).collect()
}

/// One refusal of every kind, of each complaint and of each shortage.
fn every_refusal() -> Vec<Refusal> {
    let mut all = refusals();
    let more = [
        Complaint::NotABoolean("mask", "maybe".into()),
        Complaint::NotAnInteger("month", "abc".into()),
        Complaint::OutsideRange("month", 1, 12, "13".into()),
        Complaint::OutsideRange("year", 1, 9999, "0".into()),
        Complaint::BelowRange("periodStartUnix", 1, "-5".into()),
        Complaint::AboveRange("periodStartUnix", (1 << 53) - 1, "9007199254740992".into()),
        Complaint::PeriodWithMonth,
    ];
    let known: Vec<_> = complaints().into_iter().chain(more.clone()).collect();
    all.extend(more.into_iter().map(|complaint| Refusal::Invalid(vec![complaint])));
    let two = |one: &Complaint| matches!(one, Complaint::NotAnInteger("w", _) | Complaint::AngleOutOfRange(_));
    all.push(Refusal::Invalid(known.into_iter().filter(two).collect()));
    let retry_after = Duration::from_secs(1);
    all.extend(Shortage::ALL.map(|shortage| Refusal::Unavailable { shortage, retry_after }));
    all
}

async fn told(refusal: &Refusal) -> String {
    let body = refused(refusal, "id").into_body().collect().await.unwrap().to_bytes();
    let mut body: Value = serde_json::from_slice(&body).unwrap();
    body.as_object_mut().unwrap().remove("request_id");
    body.to_string()
}

#[tokio::test]
async fn every_refusal_is_an_example_of_its_status_and_every_example_a_refusal() {
    let document = document();
    let mut described = BTreeSet::new();
    for (status, response) in responses_of(&document, |path| !is_dialect(path)) {
        let examples = response["content"]["application/json"]["examples"].as_object();
        for (name, example) in examples.into_iter().flatten().filter(|_| status >= 400) {
            let value = &resolved(&document, example)["value"];
            assert_eq!(value["status"], status, "{name}");
            described.insert(value.to_string());
        }
    }
    let mut real = BTreeSet::new();
    for refusal in every_refusal() {
        real.insert(told(&refusal).await);
    }
    assert_eq!(described, real);
}

#[test]
fn every_error_of_a_dialect_is_an_example_of_its_status_and_every_example_an_error() {
    let document = document();
    let removebg = include_str!("../error_form/removebg.tsv");
    let rembg = include_str!("../error_form/rembg.tsv");
    for (path, table) in [("/v1.0/removebg", removebg), ("/api/remove", rembg)] {
        let mut described = BTreeSet::new();
        for (status, response) in responses_of(&document, |one| one == path) {
            let examples = response["content"]["application/json"]["examples"].as_object();
            for example in examples.into_iter().flatten().filter(|_| status >= 400).map(|(_, example)| example) {
                if example.get("$ref").is_none() {
                    described.insert((status, example["value"].to_string()));
                }
            }
        }
        let lines = table.lines().map(|line| line.split_once('\t').unwrap());
        let real = lines
            .map(|(status, body)| (status.parse().unwrap(), serde_json::from_str::<Value>(body).unwrap().to_string()));
        // Paths and methods that are not there belong to no operation of remove.bg's.
        let real: BTreeSet<(u16, String)> =
            real.filter(|(status, _)| path == "/api/remove" || ![404, 405].contains(status)).collect();
        assert_eq!(described, real, "{path}");
    }
}

#[test]
fn the_parameters_of_removebg_are_those_that_are_read() {
    let document = document();
    let names = |schema: &str| -> BTreeSet<String> {
        document["components"]["schemas"][schema]["properties"].as_object().unwrap().keys().cloned().collect()
    };
    let texts: BTreeSet<String> = removebg::NAMES.into_iter().chain(["image_file_b64"]).map(str::to_owned).collect();
    assert_eq!(names("RemoveBgTexts"), texts);
    let files = ["image_file", "bg_image_file"].map(str::to_owned);
    assert_eq!(names("RemoveBgForm"), texts.into_iter().chain(files).collect());
}

#[test]
fn every_code_and_status_of_an_error_is_listed() {
    let document = document();
    let error = &document["components"]["schemas"]["Error"]["properties"];
    let listed = |member: &str| error[member]["enum"].as_array().unwrap().clone();
    let codes: BTreeSet<_> = every_refusal().iter().map(Refusal::reason).collect();
    assert_eq!(listed("code"), codes.into_iter().map(Value::from).collect::<Vec<_>>());
    let statuses: BTreeSet<_> = every_refusal().iter().map(|one| refused(one, "id").status().as_u16()).collect();
    assert_eq!(listed("status"), statuses.into_iter().map(Value::from).collect::<Vec<_>>());
}

#[test]
fn the_form_has_the_fields_and_limits_of_the_rules() {
    let document = document();
    let form = document["components"]["schemas"]["PictureForm"]["properties"].as_object().unwrap();
    let names: BTreeSet<_> = NAMES.into_iter().chain(["image"]).collect();
    assert_eq!(form.keys().map(String::as_str).collect::<BTreeSet<_>>(), names);
    assert_eq!(form["image"]["maxLength"], MAX_IMAGE);
    for field in ["w", "h"] {
        assert_eq!((&form[field]["minimum"], &form[field]["maximum"]), (&json!(0), &json!(MAX_PIXELS)));
    }
    let most = form["angle"]["maximum"].as_f64();
    assert_eq!((form["angle"]["minimum"].as_f64(), most), (Some(-MAX_ANGLE), Some(MAX_ANGLE)));
    let shown = |format: OutputFormat| format!("{format:?}").to_ascii_lowercase();
    let formats = [OutputFormat::Webp, OutputFormat::Png, OutputFormat::Jpeg, OutputFormat::Bmp].map(shown);
    assert_eq!((&form["format"]["enum"], &form["format"]["default"]), (&json!(formats), &json!("webp")));
    let names = form["bg_color"]["anyOf"][1]["enum"].as_array().unwrap();
    assert!(names.iter().all(|name| Rgba::parse(name.as_str().unwrap()).is_some()), "a name is no colour");
    let known = include_str!("../../domain/form/colour/names.rs").split('"').filter(|word| Rgba::parse(word).is_some());
    let known: Vec<_> = known.filter(|word| !names.contains(&json!(word))).collect();
    assert!(known.is_empty() && names.len() > 140, "{known:?}");
}

#[test]
fn the_parameters_of_the_usage_report_have_the_limits_of_the_rules() {
    let document = document();
    let parameters = document["paths"]["/api/membership-usage"]["get"]["parameters"].as_array().unwrap();
    let mut judged = 0;
    for parameter in parameters {
        let (name, schema) = (parameter["name"].as_str(), &parameter["schema"]);
        let (Some(name), Some(least), Some(most)) = (name, schema["minimum"].as_i64(), schema["maximum"].as_i64())
        else {
            continue;
        };
        for (value, is_valid) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
            assert_eq!(UsageQuery::parse(&format!("{name}={value}")).is_ok(), is_valid, "{name}={value}");
        }
        judged += 1;
    }
    assert_eq!(judged, 3);
}

#[test]
fn headers_are_described_where_they_are_sent() {
    let document = document();
    let described = document["components"]["headers"].as_object().unwrap();
    let described: BTreeSet<_> = described.keys().map(|name| name.to_ascii_lowercase()).collect();
    let ours =
        [rate_limit::LEFT, rate_limit::POLICY, super::CREDITS_CHARGED, super::CREDITS_REMAINING, super::REQUEST_ID];
    let ours: Vec<_> = ours.into_iter().chain(dialect_headers::ALL).collect();
    let known = ours.iter().map(|name| name.as_str().to_owned()).chain(["etag".into(), "retry-after".into()]);
    assert_eq!(described, known.collect::<BTreeSet<_>>());
    for (status, response) in responses(&document) {
        let headers = &response["headers"];
        assert_eq!(headers.get("Retry-After").is_some(), [429, 503].contains(&status), "{status} {response}");
    }
}

/// Reads the routers' source, because axum does not list its routes: `.route("/rmbg", post(rmbg))`.
#[test]
fn every_public_route_is_described_and_nothing_else() {
    let mut routes = BTreeSet::new();
    for file in ["src/edge/routes.rs", "src/edge/pages.rs"] {
        let source = fs::read_to_string(file).unwrap();
        for (at, _) in source.match_indices(".route(\"") {
            let mut words = source[at + 8..].split(['"', ' ', ',', '(']).filter(|word| !word.is_empty());
            let (path, method) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
            routes.insert((path, method));
        }
    }
    // The assets of pages are for browsers only.
    assert!(routes.remove(&("/assets/{name}".to_owned(), "get".to_owned())));
    let document = document();
    let described = operations(&document).into_iter().map(|(path, method, _)| (path.clone(), method.clone()));
    assert_eq!(routes, described.collect::<BTreeSet<_>>());
}

#[test]
fn a_key_and_a_token_are_sent_as_the_routes_read_them() {
    let document = document();
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!((&schemes["ApiKey"]["in"], &schemes["ApiKey"]["name"]), (&json!("header"), &json!("x-api-key")));
    assert_eq!((&schemes["UserToken"]["type"], &schemes["UserToken"]["scheme"]), (&json!("http"), &json!("bearer")));
    assert_eq!(document["paths"]["/rmbg"]["post"]["security"], json!([{"ApiKey": []}, {"UserToken": []}, {}]));
    assert_eq!(document["paths"]["/api/membership-usage"]["get"]["security"], json!([{"ApiKey": []}]));
    for (path, method) in [("/v1.0/removebg", "post"), ("/v1.0/account", "get")] {
        assert_eq!(document["paths"][path][method]["security"], json!([{"ApiKey": []}]));
    }
    for method in ["post", "get"] {
        let security = &document["paths"]["/api/remove"][method]["security"];
        assert_eq!(*security, json!([{"ApiKey": []}, {"UserToken": []}, {}]));
    }
}
