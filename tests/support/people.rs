//! Callers, and the answers that they get.

use super::form::Form;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::net::SocketAddr;

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The contract's `error`, after checking that the body's `status` is the answer's.
    pub fn error(&self) -> String {
        let json = self.json();
        assert_eq!(json["status"], self.status, "{json}");
        json["error"].as_str().expect("an error").to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A caller: connections and, perhaps, credentials.
#[derive(Clone)]
pub struct Person {
    pub base: SocketAddr,
    pub headers: Vec<(String, String)>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Person {
    pub fn stranger(base: SocketAddr) -> Self {
        Self { base, headers: Vec::new(), client: Client::builder(TokioExecutor::new()).build_http() }
    }

    pub fn with_key(base: SocketAddr, key: &str) -> Self {
        Self::stranger(base).with("x-api-key", key)
    }

    /// The same caller from this address, as a proxy in front of the gateway reports it.
    pub fn calling_from(self, address: &str) -> Self {
        self.with("x-forwarded-for", address)
    }

    /// A stranger over the same connections.
    pub fn without_proof(mut self) -> Self {
        self.headers.clear();
        self
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// `POST /rmbg`
    pub async fn cut(&self, form: &Form) -> Reply {
        self.post("/rmbg", &Form::content_type(), form.body()).await
    }

    pub async fn post(&self, path: &str, content_type: &str, body: Vec<u8>) -> Reply {
        self.ask(Method::POST, path, &[("content-type", content_type)], body).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, &[], Vec::new()).await
    }

    /// `app_usage + api_usage` of the present month, as membership-usage reports it.
    pub async fn used(&self) -> u64 {
        let report = self.get("/api/membership-usage").await.json();
        report["app_usage"].as_u64().unwrap() + report["api_usage"].as_u64().unwrap()
    }

    /// The value of one metric line, by its start, of the gateway that has this as its address for operators.
    pub async fn metric(&self, line: &str) -> f64 {
        let text = self.get("/metrics").await;
        let text = String::from_utf8(text.body.to_vec()).unwrap();
        let found = text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or_else(|| panic!("no metric {line} in\n{text}"))
    }

    /// The sum of the metric's lines that begin so.
    pub async fn metrics_sum(&self, beginning: &str) -> f64 {
        let text = self.get("/metrics").await;
        let text = String::from_utf8(text.body.to_vec()).unwrap();
        let values: Vec<f64> =
            text.lines().filter_map(|line| line.strip_prefix(beginning)?.rsplit_once(' ')?.1.parse().ok()).collect();
        assert!(!values.is_empty(), "no metric {beginning} in\n{text}");
        values.iter().sum()
    }

    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = self.client.request(request.body(Full::from(body)).unwrap()).await.expect("an answer");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a whole answer").to_bytes();
        Reply { status: head.status.as_u16(), headers: head.headers, body }
    }
}

impl PartialEq<StatusCode> for Reply {
    fn eq(&self, status: &StatusCode) -> bool {
        self.status == status.as_u16()
    }
}
