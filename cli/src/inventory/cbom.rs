//! The inventory as a cryptography bill of materials: CycloneDX 1.6 (ECMA-424), one component for each
//! protocol version, algorithm, certificate and key that was seen.
//!
//! References are made of names, so that two exports can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use hostward::zert::Suite;
use serde_json::{Map, Value, json};

use super::{Inventory, Place, Protection, Seen, State, Totals};
use crate::report::line::Timestamp;

/// Writes it as one JSON document.
///
/// # Errors
///
/// Those of writing.
pub fn write(all: &Inventory, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &document(all))?;
    writeln!(out)
}

/// The document.
#[must_use]
pub fn document(all: &Inventory) -> Value {
    let mut bom = Bom::default();
    for ((protection, place), totals) in &all.services {
        if protection.state == State::Established {
            bom.protocol(protection, *place, totals);
        }
    }
    for certificate in all.certificates.values() {
        bom.certificate(certificate);
    }
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": Timestamp(all.last).to_string(),
            "tools": {"components": [{
                "type": "application",
                "name": "hostward",
                "version": env!("CARGO_PKG_VERSION"),
            }]},
        },
        "components": bom.components(),
        "dependencies": bom
            .needs
            .iter()
            .map(|(of, on)| json!({"ref": of, "dependsOn": on}))
            .collect::<Vec<_>>(),
    })
}

#[derive(Default)]
struct Bom {
    protocols: BTreeMap<String, Protocol>,
    /// Everything else, by reference.
    others: BTreeMap<String, Value>,
    needs: BTreeMap<String, BTreeSet<String>>,
}

/// A protocol and version.
#[derive(Default)]
struct Protocol {
    kind: &'static str,
    name: String,
    version: Option<String>,
    /// Suites by name: number and references.
    suites: BTreeMap<String, (Option<u32>, BTreeSet<String>)>,
    places: BTreeMap<Place, Evidence>,
}

#[derive(Default)]
struct Evidence {
    connections: u64,
    sources: BTreeSet<&'static str>,
    first: Option<hostward::hook::UnixTime>,
    last: hostward::hook::UnixTime,
}

impl Bom {
    fn protocol(&mut self, p: &Protection, place: Place, totals: &Totals) {
        let kind = match p.protocol {
            "tls" | "dtls" | "quic" => "tls",
            "ssh" => "ssh",
            "ike" => "ike",
            "esp" | "ah" | "ipsec" => "ipsec",
            _ => "other",
        };
        let version = p.version.as_deref().map(|v| {
            let number = v.trim_start_matches(|c: char| !c.is_ascii_digit());
            match (p.protocol, number) {
                (_, "") => v.to_owned(),
                ("ssh", "2") => "2.0".to_owned(),
                (_, number) => number.to_owned(),
            }
        });
        let reference = match &version {
            Some(version) => format!("crypto/protocol/{}@{version}", p.protocol),
            None => format!("crypto/protocol/{}", p.protocol),
        };
        let mut refs = BTreeSet::new();
        match p.suite.and_then(|n| Suite::of(u16::try_from(n).ok()?)) {
            Some(suite) => {
                refs.extend(self.cipher(suite.cipher));
                if let Some(hash) = suite.mac.strip_prefix("HMAC-") {
                    refs.insert(self.mac(&format!("hmac-{}", hash.to_lowercase())));
                }
            }
            None => refs.extend(p.cipher.as_deref().and_then(|c| self.cipher(c))),
        }
        refs.extend(p.mac.as_deref().map(|m| self.mac(m)));
        match (&p.key_exchange, p.suite) {
            (Some(name), _) => {
                refs.insert(self.key_exchange(name));
            }
            (None, Some(suite)) => refs.extend(self.of_suite(suite)),
            (None, None) => {}
        }
        let needs = self.needs.entry(reference.clone()).or_default();
        needs.extend(refs.iter().cloned());
        let protocol = self.protocols.entry(reference).or_default();
        protocol.kind = kind;
        p.protocol.clone_into(&mut protocol.name);
        protocol.version = version;
        if let Some(cipher) = &p.cipher {
            let suite = protocol.suites.entry(cipher.clone()).or_default();
            suite.0 = p.suite;
            suite.1.extend(refs);
        }
        let evidence = protocol.places.entry(place).or_default();
        evidence.connections += totals.connections;
        evidence.sources.insert(p.source);
        let first = evidence.first.map_or(totals.first, |f| f.min(totals.first));
        evidence.first = Some(first);
        evidence.last = evidence.last.max(totals.last);
    }

    fn algorithm(&mut self, name: &str, properties: Value) -> String {
        let reference = format!("crypto/algorithm/{}", name.to_lowercase());
        self.others.entry(reference.clone()).or_insert_with(|| {
            json!({
                "type": "cryptographic-asset",
                "bom-ref": reference,
                "name": name,
                "cryptoProperties": {
                    "assetType": "algorithm",
                    "algorithmProperties": properties,
                },
            })
        });
        reference
    }

    /// A cipher by the name of a TLS suite's part or of SSH; nothing for none.
    fn cipher(&mut self, name: &str) -> Option<String> {
        let plain = name.split_once('@').map_or(name, |(n, _)| n);
        let lower = plain.to_lowercase();
        if lower == "null" || lower == "none" {
            return None;
        }
        let has = |part: &str| lower.contains(part);
        let (primitive, mode) = if has("gcm") {
            ("ae", Some("gcm"))
        } else if has("ccm") {
            ("ae", Some("ccm"))
        } else if has("poly1305") || has("aegis") {
            ("ae", None)
        } else if has("cbc") {
            ("block-cipher", Some("cbc"))
        } else if has("ctr") {
            ("block-cipher", Some("ctr"))
        } else if has("rc4") || has("arcfour") {
            ("stream-cipher", None)
        } else {
            ("unknown", None)
        };
        let bits = [("128", 128), ("192", 192), ("256", 256), ("168", 112)]
            .iter()
            .find(|(digits, _)| has(digits));
        let bits = if has("chacha20") {
            Some(256)
        } else {
            bits.map(|b| b.1)
        };
        let mut properties = Map::new();
        properties.insert("primitive".into(), primitive.into());
        if let Some(mode) = mode {
            properties.insert("mode".into(), mode.into());
        }
        if let Some(bits) = bits {
            properties.insert("parameterSetIdentifier".into(), bits.to_string().into());
            properties.insert("classicalSecurityLevel".into(), bits.into());
            // Levels 1, 3 and 5 are those of AES with these key lengths.
            let level = match bits {
                128 => 1,
                192 => 3,
                256 => 5,
                _ => 0,
            };
            properties.insert("nistQuantumSecurityLevel".into(), level.into());
        }
        properties.insert("cryptoFunctions".into(), json!(["encrypt", "decrypt"]));
        Some(self.algorithm(plain, properties.into()))
    }

    fn mac(&mut self, name: &str) -> String {
        let plain = name.split_once('@').map_or(name, |(n, _)| n);
        self.algorithm(
            plain,
            json!({"primitive": "mac", "cryptoFunctions": ["tag"]}),
        )
    }

    /// The key exchange that the name of a suite tells where no group was seen: RSA key transport above
    /// all. Nothing where a group would tell, or where there is none.
    fn of_suite(&mut self, number: u32) -> Option<String> {
        let kex = Suite::of(u16::try_from(number).ok()?)?.key_exchange;
        let name = kex.strip_suffix("_EXPORT").unwrap_or(kex);
        let name = name.split('_').next().unwrap_or(name);
        match name {
            "RSA" => Some(self.algorithm(
                name,
                json!({
                    "primitive": "pke",
                    "cryptoFunctions": ["encrypt", "decrypt"],
                    "nistQuantumSecurityLevel": 0,
                }),
            )),
            "DH" | "DHE" | "ECDH" | "ECDHE" => Some(self.key_exchange(name)),
            _ => None,
        }
    }

    /// A group of TLS or a method of SSH; a hybrid needs its parts.
    fn key_exchange(&mut self, name: &str) -> String {
        let plain = name.split_once('@').map_or(name, |(n, _)| n);
        let lower = plain.to_lowercase();
        // IKE writes `ml-kem-768` where TLS and SSH write `mlkem768`.
        let joined = lower.replace("ml-kem-", "mlkem");
        let kem = KEMS.iter().find(|(part, ..)| joined.contains(part));
        let curve = CURVES.iter().find(|(part, _)| lower.contains(part));
        let agree = json!({
            "primitive": "key-agree",
            "cryptoFunctions": ["keyderive"],
            "nistQuantumSecurityLevel": 0,
        });
        let encapsulate = |parameters: &str, level: u32| {
            let mut properties = json!({
                "primitive": "kem",
                "parameterSetIdentifier": parameters,
                "cryptoFunctions": ["encapsulate", "decapsulate"],
            });
            if let (Some(map), true) = (properties.as_object_mut(), level > 0) {
                map.insert("nistQuantumSecurityLevel".into(), level.into());
            }
            properties
        };
        match (kem, curve) {
            (None, None) => self.algorithm(plain, agree),
            (None, Some((_, curve))) => {
                let mut properties = agree;
                if let Some(map) = properties.as_object_mut() {
                    map.insert("curve".into(), (*curve).into());
                }
                self.algorithm(plain, properties)
            }
            (Some((_, name, parameters, level)), None)
                if joined == name.replace('-', "").to_lowercase() =>
            {
                self.algorithm(name, encapsulate(parameters, *level))
            }
            (Some((_, kem, parameters, level)), curve) => {
                let mut properties = json!({
                    "primitive": "combiner",
                    "cryptoFunctions": ["keyderive"],
                });
                if let (Some(map), true) = (properties.as_object_mut(), *level > 0) {
                    map.insert("nistQuantumSecurityLevel".into(), (*level).into());
                }
                let reference = self.algorithm(plain, properties);
                let mut parts =
                    BTreeSet::from([self.algorithm(kem, encapsulate(parameters, *level))]);
                if let Some((_, curve)) = curve {
                    let mut properties = agree;
                    if let Some(map) = properties.as_object_mut() {
                        map.insert("curve".into(), (*curve).into());
                    }
                    parts.insert(self.algorithm(curve, properties));
                }
                self.needs
                    .entry(reference.clone())
                    .or_default()
                    .extend(parts);
                reference
            }
        }
    }

    fn certificate(&mut self, c: &Seen) {
        let id = c.sha256.clone().unwrap_or_else(|| {
            let part = |p: &Option<String>| p.clone().unwrap_or_default();
            format!(
                "{}/{}/{}",
                part(&c.issuer),
                part(&c.serial),
                part(&c.subject)
            )
        });
        let reference = format!("crypto/certificate/{id}");
        let mut properties = Map::new();
        for (name, value) in [
            ("subjectName", c.subject.clone()),
            ("issuerName", c.issuer.clone()),
            ("notValidAfter", c.not_after.map(|t| t.to_string())),
        ] {
            if let Some(value) = value {
                properties.insert(name.into(), value.into());
            }
        }
        if let Some(oid) = &c.signature {
            let algorithm = self.of_oid(oid, "signature");
            properties.insert("signatureAlgorithmRef".into(), algorithm.into());
        }
        if let Some(oid) = &c.key {
            let algorithm = self.of_oid(oid, "unknown");
            let key = format!("crypto/key/{id}");
            let mut material = json!({"type": "public-key", "algorithmRef": algorithm});
            if let (Some(map), true) = (material.as_object_mut(), c.key_bits > 0) {
                map.insert("size".into(), c.key_bits.into());
            }
            self.others.insert(
                key.clone(),
                json!({
                    "type": "cryptographic-asset",
                    "bom-ref": key,
                    "name": "public key",
                    "cryptoProperties": {
                        "assetType": "related-crypto-material",
                        "relatedCryptoMaterialProperties": material,
                    },
                }),
            );
            properties.insert("subjectPublicKeyRef".into(), key.into());
        }
        properties.insert("certificateFormat".into(), "X.509".into());
        let mut own: Vec<Value> = Vec::new();
        for (name, value) in [("serial", &c.serial), ("sha256", &c.sha256)] {
            if let Some(value) = value {
                own.push(property(name, value));
            }
        }
        own.push(property("connections", &c.connections.to_string()));
        self.others.insert(
            reference.clone(),
            json!({
                "type": "cryptographic-asset",
                "bom-ref": reference,
                "name": c.subject.as_deref().unwrap_or("certificate"),
                "cryptoProperties": {
                    "assetType": "certificate",
                    "certificateProperties": properties,
                },
                "evidence": {"occurrences": c.places.iter().map(occurrence).collect::<Vec<_>>()},
                "properties": own,
            }),
        );
    }

    fn of_oid(&mut self, oid: &str, primitive: &str) -> String {
        let reference = self.algorithm(oid, json!({"primitive": primitive}));
        if let Some(properties) = self
            .others
            .get_mut(&reference)
            .and_then(|c| c.get_mut("cryptoProperties"))
            .and_then(Value::as_object_mut)
        {
            properties.insert("oid".into(), oid.into());
        }
        reference
    }

    fn components(&self) -> Vec<Value> {
        let protocols = self
            .protocols
            .iter()
            .map(|(reference, p)| p.component(reference));
        protocols.chain(self.others.values().cloned()).collect()
    }
}

/// Key encapsulation by a part of the name of whatever uses it: name, parameters, security category.
const KEMS: &[(&str, &str, &str, u32)] = &[
    ("mlkem512", "ML-KEM-512", "ML-KEM-512", 1),
    ("mlkem768", "ML-KEM-768", "ML-KEM-768", 3),
    ("mlkem1024", "ML-KEM-1024", "ML-KEM-1024", 5),
    ("kyber768", "Kyber768", "Kyber768", 3),
    ("sntrup761", "sntrup761", "sntrup761", 0),
];

/// Curves by a part of the name of whatever uses them.
const CURVES: &[(&str, &str)] = &[
    ("x25519", "x25519"),
    ("curve25519", "x25519"),
    ("x448", "x448"),
    ("curve448", "x448"),
    ("secp256r1", "secp256r1"),
    ("nistp256", "secp256r1"),
    ("secp384r1", "secp384r1"),
    ("nistp384", "secp384r1"),
    ("secp521r1", "secp521r1"),
    ("nistp521", "secp521r1"),
];

fn property(name: &str, value: &str) -> Value {
    json!({"name": format!("hostward:{name}"), "value": value})
}

fn occurrence(place: &Place) -> Value {
    let end = std::net::SocketAddr::new(place.server, place.port);
    json!({"location": format!("{}://{end}", place.transport_name())})
}

impl Protocol {
    fn component(&self, reference: &str) -> Value {
        let suites: Vec<Value> = self
            .suites
            .iter()
            .map(|(name, (number, refs))| {
                let mut suite = json!({"name": name, "algorithms": refs});
                if let (Some(map), Some(number)) = (suite.as_object_mut(), number) {
                    let octets = number.to_be_bytes();
                    // Two octets, three of SSL 2.0.
                    let skip = if *number > 0xFFFF { 1 } else { 2 };
                    let octets = octets.iter().skip(skip).map(|o| format!("0x{o:02X}"));
                    map.insert("identifiers".into(), octets.collect::<Vec<_>>().into());
                }
                suite
            })
            .collect();
        let mut properties = json!({"type": self.kind, "cipherSuites": suites});
        if let (Some(map), Some(version)) = (properties.as_object_mut(), &self.version) {
            map.insert("version".into(), version.clone().into());
        }
        let connections: u64 = self.places.values().map(|e| e.connections).sum();
        let first = self.places.values().filter_map(|e| e.first).min();
        let last = self.places.values().map(|e| e.last).max();
        let sources: BTreeSet<&str> = self
            .places
            .values()
            .flat_map(|e| e.sources.iter().copied())
            .collect();
        let sources: Vec<&str> = sources.into_iter().collect();
        let shown =
            |t: Option<hostward::hook::UnixTime>| Timestamp(t.unwrap_or_default()).to_string();
        json!({
            "type": "cryptographic-asset",
            "bom-ref": reference,
            "name": self.name,
            "cryptoProperties": {
                "assetType": "protocol",
                "protocolProperties": properties,
            },
            "evidence": {"occurrences": self.places.keys().map(occurrence).collect::<Vec<_>>()},
            "properties": [
                property("firstSeen", &shown(first)),
                property("lastSeen", &shown(last)),
                property("connections", &connections.to_string()),
                property("source", &sources.join(",")),
            ],
        })
    }
}
