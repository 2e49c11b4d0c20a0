//! An identity provider that signs tokens and publishes its keys on a loopback port.

#[path = "../../src/identity/user_token/tests/forge.rs"]
#[expect(dead_code, reason = "these tests need only some of what the forge can do")]
mod forge;
#[path = "../../src/identity/user_token/tests/server.rs"]
#[expect(dead_code, reason = "how often it is asked is tested elsewhere")]
mod server;

use crate::{
    people::Person,
    world::{NOON, World},
};
use forge::Signer;
use rembg_gateway::config::Config;
use serde_json::{Value, json};
use server::IssuerServer;

const NAME: &str = "https://issuer.example/";
const AUDIENCE: &str = "the-gateway";

pub struct Issuer {
    signer: Signer,
    server: IssuerServer,
}

impl Issuer {
    pub async fn start(algorithm: &'static str) -> Self {
        let signer = Signer::new(algorithm);
        let server = IssuerServer::start(&json!({"keys": [signer.jwk_named("k1")]})).await;
        Self { signer, server }
    }

    /// Makes the gateway take this issuer's tokens.
    pub fn is_trusted_by(&self, config: &mut Config) {
        config.auth.user_token.issuer = NAME.into();
        config.auth.user_token.audience = vec![AUDIENCE.into()];
        config.auth.user_token.jwks_url = Some(self.server.url());
    }

    pub fn goes_away(&self) {
        self.server.publish(500, "out of order");
    }

    pub fn comes_back(&self) {
        self.server.publish(200, json!({"keys": [self.signer.jwk_named("k1")]}).to_string());
    }

    /// A token for an hour from noon, with these claims changed; `null` leaves one out.
    pub fn token(&self, sub: &str, changes: &Value) -> String {
        let mut claims = json!({"iss": NAME, "aud": AUDIENCE, "sub": sub, "exp": NOON + 3_600, "email_verified": true});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.signer.token("k1", &claims)
    }

    /// A caller who has signed in, and whose e-mail address is verified.
    pub fn user(&self, world: &World, sub: &str) -> Person {
        self.user_but(world, sub, &json!({}))
    }

    pub fn user_but(&self, world: &World, sub: &str, changes: &Value) -> Person {
        world.stranger().with("authorization", &format!("Bearer {}", self.token(sub, changes)))
    }
}
