//! Services: addresses and node ports are given once.

use expect_test::expect;

use super::check;

const WEB: &str = "
    POST /api/v1/namespaces/default/services
      metadata: {name: web}
      spec: {selector: {app: web}, ports: [{port: 80}]}
";

#[test]
fn a_service_gets_an_address_and_keeps_it() {
    check(
        &format!(
            "{WEB}
    ? spec
    PUT /api/v1/namespaces/default/services/web
      metadata: {{name: web}}
      spec: {{selector: {{app: api}}, ports: [{{port: 80}}]}}
    ? spec.clusterIP
    MERGE /api/v1/namespaces/default/services/web
      spec: {{clusterIP: 10.43.9.9, clusterIPs: [10.43.9.9]}}
    MERGE /api/v1/namespaces/default/services/web
      spec: {{type: NodePort}}
    ? spec.ports.0.nodePort
    MERGE /api/v1/namespaces/default/services/web
      spec: {{type: ClusterIP}}
    ? spec.ports.0.nodePort
    MERGE /api/v1/namespaces/default/services/web
      spec: {{type: ExternalName, externalName: example.com}}
    ? spec.clusterIP
    DELETE /api/v1/namespaces/default/services/web
"
        ),
        &expect![[r#"
            POST /api/v1/namespaces/default/services
              201 Service web @101
              + /registry/services/default/web
              + /registry/networking.k8s.io/ipaddresses/10.43.251.29
                spec = {"ports":[{"protocol":"TCP","port":80,"targetPort":80}],"selector":{"app":"web"},"clusterIP":"10.43.251.29","type":"ClusterIP","sessionAffinity":"None","ipFamilyPolicy":"SingleStack","clusterIPs":["10.43.251.29"],"ipFamilies":["IPv4"],"internalTrafficPolicy":"Cluster"}
            PUT /api/v1/namespaces/default/services/web
              200 Service web @103
              + /registry/services/default/web
                spec.clusterIP = "10.43.251.29"
            MERGE /api/v1/namespaces/default/services/web
              422 Invalid: Service "web" is invalid: spec.clusterIP: Invalid value: "10.43.9.9": field is immutable
            MERGE /api/v1/namespaces/default/services/web
              200 Service web @104
              + /registry/services/default/web
              + /registry/starling.dev/nodeports/32440
                spec.ports.0.nodePort = 32440
            MERGE /api/v1/namespaces/default/services/web
              200 Service web @106
              + /registry/services/default/web
              - /registry/starling.dev/nodeports/32440
                spec.ports.0.nodePort = null
            MERGE /api/v1/namespaces/default/services/web
              200 Service web @108
              + /registry/services/default/web
              - /registry/networking.k8s.io/ipaddresses/10.43.251.29
                spec.clusterIP = null
            DELETE /api/v1/namespaces/default/services/web
              200 Success
              - /registry/services/default/web
        "#]],
    );
}

#[test]
fn what_is_taken_or_outside_the_range_is_refused() {
    check(
        "
        POST /api/v1/namespaces/default/services
          metadata: {name: a}
          spec: {type: NodePort, clusterIP: 10.43.0.10, ports: [{port: 80, nodePort: 30080}]}
        POST /api/v1/namespaces/default/services
          metadata: {name: b}
          spec: {clusterIP: 10.43.0.10, ports: [{port: 80}]}
        POST /api/v1/namespaces/default/services
          metadata: {name: b}
          spec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}
        POST /api/v1/namespaces/default/services
          metadata: {name: b}
          spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}, {port: 81, nodePort: 80, name: x}]}
        POST /api/v1/namespaces/default/services
          metadata: {name: headless}
          spec: {clusterIP: None, ports: [{port: 80}]}
        ? spec.clusterIPs
        DELETE /api/v1/namespaces/default/services/a
        POST /api/v1/namespaces/default/services
          metadata: {name: b}
          spec: {type: NodePort, clusterIP: 10.43.0.10, ports: [{port: 80, nodePort: 30080}]}
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/services
              201 Service a @101
              + /registry/services/default/a
              + /registry/networking.k8s.io/ipaddresses/10.43.0.10
              + /registry/starling.dev/nodeports/30080
            POST /api/v1/namespaces/default/services
              422 Invalid: Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.43.0.10"]: belongs to another Service
            POST /api/v1/namespaces/default/services
              422 Invalid: Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.10"]: is not in the range of this cluster's Services, 10.43.0.0/16
            POST /api/v1/namespaces/default/services
              422 Invalid: Service "b" is invalid: [spec.ports[0].nodePort: Invalid value: 30080: belongs to another Service, spec.ports[1].nodePort: Invalid value: 80: must be from 30000 to 32767]
            POST /api/v1/namespaces/default/services
              201 Service headless @104
              + /registry/services/default/headless
                spec.clusterIPs = ["None"]
            DELETE /api/v1/namespaces/default/services/a
              200 Success
              - /registry/services/default/a
              - /registry/networking.k8s.io/ipaddresses/10.43.0.10
              - /registry/starling.dev/nodeports/30080
            POST /api/v1/namespaces/default/services
              201 Service b @108
              + /registry/services/default/b
              + /registry/networking.k8s.io/ipaddresses/10.43.0.10
              + /registry/starling.dev/nodeports/30080
        "#]],
    );
}
