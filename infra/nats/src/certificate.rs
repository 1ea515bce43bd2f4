//! Certificates of the bus, by an authority of the installation's own. Whoever trusts `ca.crt` trusts no other.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use crate::file;

const AUTHORITY_LIVES: Duration = Duration::days(3650);
/// A server's certificate is made anew whenever its configuration is written.
const SERVER_LIVES: Duration = Duration::days(397);
/// A clock of another machine may be behind.
const CLOCK_SKEW: Duration = Duration::hours(24);

/// The authority: who knows its key can be any server of the bus.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Opens the authority in `dir`, or makes it. One that is there is never replaced.
    pub(crate) fn create_or_open(dir: &Path) -> anyhow::Result<Self> {
        let (key_path, certificate_path) = (dir.join("ca.key"), certificate_path(dir));
        file::create(&key_path, || Ok(KeyPair::generate()?.serialize_pem()))?;
        let key = KeyPair::from_pem(&file::read(&key_path)?)
            .with_context(|| format!("{} is damaged", key_path.display()))?;
        let params = authority();
        file::create(&certificate_path, || Ok(params.self_signed(&key)?.pem()))?;
        Ok(Self { issuer: Issuer::new(params, key) })
    }

    /// Makes a certificate for the server called `name`, which is reached as any of `hosts`: its certificate and its key
    /// in PEM.
    pub(crate) fn certify(&self, name: &str, hosts: &[String]) -> anyhow::Result<(String, String)> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(hosts).context("names of a NATS server")?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // To another server of its cluster it is a client.
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        live(&mut params, SERVER_LIVES);
        let certificate: Certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

/// The certificate of the authority in `dir`.
pub(crate) fn certificate_path(dir: &Path) -> PathBuf {
    dir.join("ca.crt")
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "the bus of this Natter installation");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    live(&mut params, AUTHORITY_LIVES);
    params
}

fn live(params: &mut CertificateParams, length: Duration) {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - CLOCK_SKEW;
    params.not_after = now + length;
}
