//! Service-account tokens: signed JSON web tokens, ES256.
//!
//! Way in: [`TokenKey::sign`], [`TokenKey::verify`].
//! Spec: RFC 7515 (compact serialization), RFC 7518 section 3.4 (ES256), RFC 7519; the claims are those of the
//! Kubernetes documentation, "Managing Service Accounts", "Bound service account tokens".

use actors_core::Wall;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
        UnparsedPublicKey,
    },
};
use serde::{Deserialize, Serialize};

/// Longest token that is looked at.
const TOKEN_LEN_MAX: usize = 16 * 1024;

/// Signs and verifies the tokens of one cluster.
pub struct TokenKey {
    pair: EcdsaKeyPair,
    id: String,
    header: String,
    random: SystemRandom,
}

/// What a token says. Unknown claims are kept out: only what this cluster signs is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed it: the API's own address.
    pub iss: String,
    /// `system:serviceaccount:NAMESPACE:NAME`.
    pub sub: String,
    /// For whom it is meant.
    pub aud: Vec<String>,
    /// Seconds since the epoch after which it is invalid.
    pub exp: i64,
    /// Seconds since the epoch at which it was signed.
    pub iat: i64,
    /// Seconds since the epoch before which it is invalid.
    pub nbf: i64,
    /// Which token it is; older ones have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub jti: String,
    /// Namespace, names and uids that it is bound to.
    #[serde(rename = "kubernetes.io")]
    pub kubernetes: serde_json::Value,
}

/// Why a token is refused. The caller answers 401 and says no more to the client.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// Not three base64url parts of JSON, or too long.
    #[error("the token is malformed")]
    Malformed,
    /// Signed by another key, or changed.
    #[error("the token's signature is wrong")]
    Signature,
    /// Outside its time.
    #[error("the token is expired or not yet valid")]
    Time,
    /// Meant for somebody else.
    #[error("the token is meant for {0:?}")]
    Audience(Vec<String>),
    /// The key cannot be used.
    #[error("the signing key is unusable: {0}")]
    Key(String),
}

impl TokenKey {
    /// A key from PKCS#8 DER (P-256).
    ///
    /// # Errors
    /// If the bytes are no such key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, TokenError> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random)
            .map_err(|rejected| TokenError::Key(rejected.to_string()))?;
        let digest = ring::digest::digest(&ring::digest::SHA256, pair.public_key().as_ref());
        let id = BASE64URL.encode(digest.as_ref());
        let header = BASE64URL.encode(format!(r#"{{"alg":"ES256","kid":"{id}","typ":"JWT"}}"#));
        Ok(Self { pair, id, header, random })
    }

    /// How its tokens are signed. Spec: RFC 7518 section 3.1.
    pub const ALGORITHM: &str = "ES256";

    /// The public key as a JWK set, by which others verify tokens. Spec: RFC 7517, RFC 7518 section 6.2.
    #[must_use]
    pub fn key_set(&self) -> String {
        // An uncompressed point: 4, x, y (SEC 1 section 2.3.3).
        let point = self.pair.public_key().as_ref();
        let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
        let key = serde_json::json!({
            "use": "sig",
            "kty": "EC",
            "kid": self.id,
            "crv": "P-256",
            "alg": Self::ALGORITHM,
            "x": BASE64URL.encode(x),
            "y": BASE64URL.encode(y),
        });
        serde_json::json!({ "keys": [key] }).to_string()
    }

    /// The token of these claims, which are the JSON of [`Claims`].
    ///
    /// # Errors
    /// If the operating system has no randomness.
    pub fn sign(&self, claims: &[u8]) -> Result<String, TokenError> {
        let signed = format!("{}.{}", self.header, BASE64URL.encode(claims));
        let signature = self
            .pair
            .sign(&self.random, signed.as_bytes())
            .map_err(|_| TokenError::Key("signing failed".to_owned()))?;
        Ok(format!("{signed}.{}", BASE64URL.encode(signature.as_ref())))
    }

    /// The claims of a token, if this key signed it, it is valid now, and one of `audiences` is meant.
    ///
    /// # Errors
    /// Why it is refused. Whether the bound objects still exist is the caller's question.
    pub fn verify(
        &self,
        token: &str,
        audiences: &[String],
        now: Wall,
    ) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_LEN_MAX {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, body) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        // The header must be this key's own: no other algorithm is ever considered (RFC 8725 section 3.1).
        if header != self.header {
            return Err(TokenError::Signature);
        }
        let signature = BASE64URL.decode(signature).map_err(|_| TokenError::Malformed)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key().as_ref())
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| TokenError::Signature)?;
        let body = BASE64URL.decode(body).map_err(|_| TokenError::Malformed)?;
        let claims: Claims = serde_json::from_slice(&body).map_err(|_| TokenError::Malformed)?;
        if !(claims.nbf..claims.exp).contains(&now.as_secs()) {
            return Err(TokenError::Time);
        }
        if !claims.aud.iter().any(|audience| audiences.contains(audience)) {
            return Err(TokenError::Audience(claims.aud));
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> TokenKey {
        let pair = rcgen::KeyPair::generate().expect("a key");
        TokenKey::from_pkcs8(pair.serialized_der()).expect("a P-256 key")
    }

    fn claims() -> Claims {
        let kubernetes =
            serde_json::json!({"namespace": "default", "serviceaccount": {"name": "web"}});
        let aud = vec!["api".to_owned()];
        let sub = "system:serviceaccount:default:web".to_owned();
        Claims {
            iss: "https://kubernetes.default.svc".to_owned(),
            sub,
            aud,
            exp: 200,
            iat: 100,
            nbf: 100,
            jti: "one".to_owned(),
            kubernetes,
        }
    }

    fn at(seconds: i64) -> Wall {
        Wall(seconds * 1_000_000_000)
    }

    #[test]
    fn a_signed_token_is_believed_within_its_time_and_for_its_audience() {
        let key = key();
        let token = key.sign(&serde_json::to_vec(&claims()).expect("JSON")).expect("a token");
        let audiences = ["api".to_owned()];
        assert_eq!(key.verify(&token, &audiences, at(150)), Ok(claims()));
        assert_eq!(key.verify(&token, &audiences, at(99)), Err(TokenError::Time));
        assert_eq!(key.verify(&token, &audiences, at(200)), Err(TokenError::Time));
        assert_eq!(
            key.verify(&token, &["x".to_owned()], at(150)),
            Err(TokenError::Audience(claims().aud))
        );
    }

    #[test]
    fn others_verify_a_token_by_the_published_key() {
        let key = key();
        let token = key.sign(&serde_json::to_vec(&claims()).expect("JSON")).expect("a token");
        let set: serde_json::Value = serde_json::from_str(&key.key_set()).expect("JSON");
        let part = |name: &str| {
            BASE64URL.decode(set["keys"][0][name].as_str().expect("a text")).expect("base64url")
        };
        let point = [vec![4], part("x"), part("y")].concat();
        assert_eq!(point.len(), 65);
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let signature = BASE64URL.decode(signature).expect("base64url");
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(signed.as_bytes(), &signature)
            .expect("verified");
    }

    #[test]
    fn a_changed_or_foreign_or_malformed_token_is_refused() {
        let (key, foreign) = (key(), key());
        let audiences = ["api".to_owned()];
        let token = key.sign(&serde_json::to_vec(&claims()).expect("JSON")).expect("a token");
        assert_eq!(foreign.verify(&token, &audiences, at(150)), Err(TokenError::Signature));
        let (head, tail) = token.split_at(token.len() / 2);
        let changed =
            format!("{head}{}{}", if tail.starts_with('A') { "B" } else { "A" }, &tail[1..]);
        assert!(key.verify(&changed, &audiences, at(150)).is_err());
        for text in ["", ".", "..", "a.b.c", &"x".repeat(20_000)] {
            assert!(key.verify(text, &audiences, at(150)).is_err(), "{text:.20}");
        }
    }
}
