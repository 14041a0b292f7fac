//! How a connection to the server is made: directly or through the system's proxy, with TLS.

use std::sync::Arc;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::{
    legacy::connect::{HttpConnector, proxy::Tunnel},
    proxy::matcher::Matcher,
};
use rustls::{ClientConfig, RootCertStore, crypto};
use rustls_platform_verifier::BuilderVerifierExt;
use tower_service::Service;

use super::{http1::Http1, unanswered::BoxError};

/// Which certificates are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TrustRoots {
    /// Those that the operating system trusts.
    Platform,
    /// None: loopback needs no certificate.
    None,
}

type Direct = HttpsConnector<HttpConnector>;

/// Makes streams to one server. Cheap to clone.
#[derive(Clone)]
pub(super) enum Connector {
    Direct(Direct),
    Proxied(Box<HttpsConnector<Tunnel<Direct>>>),
}

impl Connector {
    pub(super) fn to(server: &Uri, trust: TrustRoots) -> anyhow::Result<Self> {
        let tls = tls(trust)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let direct = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let proxy =
            (trust == TrustRoots::Platform).then(|| Matcher::from_system().intercept(server));
        Ok(match proxy.flatten() {
            None => Self::Direct(direct),
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), direct);
                if let Some(auth) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(auth.clone());
                }
                Self::Proxied(Box::new(HttpsConnector::from((tunnel, tls))))
            }
        })
    }

    pub(super) async fn connect(&self, server: Uri) -> Result<Http1, BoxError> {
        match self.clone() {
            Self::Direct(mut connector) => Http1::over(call(&mut connector, server).await?).await,
            Self::Proxied(mut connector) => Http1::over(call(&mut *connector, server).await?).await,
        }
    }
}

async fn call<C: Service<Uri>>(connector: &mut C, server: Uri) -> Result<C::Response, C::Error> {
    std::future::poll_fn(|context| connector.poll_ready(context)).await?;
    connector.call(server).await
}

fn tls(trust: TrustRoots) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(match trust {
        TrustRoots::Platform => builder.with_platform_verifier()?.with_no_client_auth(),
        TrustRoots::None => {
            builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
    })
}
