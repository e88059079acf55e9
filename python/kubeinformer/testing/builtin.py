"""The built-in resources: one line for each that the official Python client can list.

The table is data that a test compares with the paths of the installed ``kubernetes`` client; a resource is here iff
that client (release 37) lists it. Columns:

- (a line of its own, before its resources) the group, ``core`` for the one without a name;
- versions, the preferred one first; ``+`` joins versions that share one schema, ``,`` separates versions that would
  need a conversion, which the server refuses to make up;
- plural name and kind;
- scope: ``ns`` or ``cluster``;
- traits: ``S`` has a status subresource, ``D`` a DELETE answers with the object, ``G`` has a metadata.generation;
- short names and, after ``/``, subresources that a real server has and this one answers with 501.
"""

from __future__ import annotations

TABLE = """
core:
  v1 configmaps ConfigMap ns - cm
  v1 endpoints Endpoints ns - ep
  v1 events Event ns - ev
  v1 limitranges LimitRange ns - limits
  v1 namespaces Namespace cluster S ns /finalize
  v1 nodes Node cluster S no /proxy
  v1 persistentvolumeclaims PersistentVolumeClaim ns SD pvc
  v1 persistentvolumes PersistentVolume cluster SD pv
  v1 pods Pod ns SDG po /attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,resize
  v1 podtemplates PodTemplate ns DG -
  v1 replicationcontrollers ReplicationController ns SG rc /scale
  v1 resourcequotas ResourceQuota ns SD quota
  v1 secrets Secret ns - -
  v1 serviceaccounts ServiceAccount ns D sa /token
  v1 services Service ns SD svc /proxy
admissionregistration.k8s.io:
  v1+v1beta1+v1alpha1 mutatingadmissionpolicies MutatingAdmissionPolicy cluster G -
  v1+v1beta1+v1alpha1 mutatingadmissionpolicybindings MutatingAdmissionPolicyBinding cluster G -
  v1 mutatingwebhookconfigurations MutatingWebhookConfiguration cluster G -
  v1 validatingadmissionpolicies ValidatingAdmissionPolicy cluster SG -
  v1 validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding cluster G -
  v1 validatingwebhookconfigurations ValidatingWebhookConfiguration cluster G -
apiextensions.k8s.io:
  v1 customresourcedefinitions CustomResourceDefinition cluster SG crd,crds
apiregistration.k8s.io:
  v1 apiservices APIService cluster S -
apps:
  v1 controllerrevisions ControllerRevision ns - -
  v1 daemonsets DaemonSet ns SG ds
  v1 deployments Deployment ns SG deploy /scale
  v1 replicasets ReplicaSet ns SG rs /scale
  v1 statefulsets StatefulSet ns SG sts /scale
autoscaling:
  v2,v1 horizontalpodautoscalers HorizontalPodAutoscaler ns S hpa
batch:
  v1 cronjobs CronJob ns SG cj
  v1 jobs Job ns SG -
certificates.k8s.io:
  v1 certificatesigningrequests CertificateSigningRequest cluster S csr /approval
  v1+v1beta1 clustertrustbundles ClusterTrustBundle cluster - -
  v1,v1beta1 podcertificaterequests PodCertificateRequest ns S -
coordination.k8s.io:
  v1beta1+v1alpha2 leasecandidates LeaseCandidate ns - -
  v1 leases Lease ns - -
discovery.k8s.io:
  v1 endpointslices EndpointSlice ns G -
events.k8s.io:
  v1 events Event ns - ev
flowcontrol.apiserver.k8s.io:
  v1 flowschemas FlowSchema cluster SG -
  v1 prioritylevelconfigurations PriorityLevelConfiguration cluster SG -
internal.apiserver.k8s.io:
  v1alpha1 storageversions StorageVersion cluster S -
lifecycle.k8s.io:
  v1alpha1 evictionrequests EvictionRequest ns SG -
  v1alpha1 evictions Eviction ns SG -
networking.k8s.io:
  v1 ingressclasses IngressClass cluster G -
  v1 ingresses Ingress ns SG ing
  v1 ipaddresses IPAddress cluster - ip
  v1 networkpolicies NetworkPolicy ns G netpol
  v1 servicecidrs ServiceCIDR cluster S -
node.k8s.io:
  v1 runtimeclasses RuntimeClass cluster - -
policy:
  v1 poddisruptionbudgets PodDisruptionBudget ns SG pdb
rbac.authorization.k8s.io:
  v1 clusterrolebindings ClusterRoleBinding cluster - -
  v1 clusterroles ClusterRole cluster - -
  v1 rolebindings RoleBinding ns - -
  v1 roles Role ns - -
resource.k8s.io:
  v1+v1beta2+v1beta1 deviceclasses DeviceClass cluster DG -
  v1+v1beta2+v1alpha3 devicetaintrules DeviceTaintRule cluster SDG -
  v1,v1beta2,v1beta1 resourceclaims ResourceClaim ns SD -
  v1,v1beta2,v1beta1 resourceclaimtemplates ResourceClaimTemplate ns D -
  v1alpha3 resourcepoolstatusrequests ResourcePoolStatusRequest cluster SD -
  v1,v1beta2,v1beta1 resourceslices ResourceSlice cluster DG -
scheduling.k8s.io:
  v1alpha3 compositepodgroups CompositePodGroup ns S -
  v1beta1+v1alpha3 podgroups PodGroup ns S -
  v1 priorityclasses PriorityClass cluster G pc
  v1beta1+v1alpha3 workloads Workload ns - -
storage.k8s.io:
  v1 csidrivers CSIDriver cluster D -
  v1 csinodes CSINode cluster SD -
  v1 csistoragecapacities CSIStorageCapacity ns - -
  v1 storageclasses StorageClass cluster D sc
  v1 volumeattachments VolumeAttachment cluster SD -
  v1 volumeattributesclasses VolumeAttributesClass cluster D vac
storagemigration.k8s.io:
  v1+v1beta1 storageversionmigrations StorageVersionMigration cluster S -
"""

UNSERVED = frozenset(
    [
        ("", "v1", "bindings"),
        ("", "v1", "componentstatuses"),
        ("authentication.k8s.io", "v1", "selfsubjectreviews"),
        ("authentication.k8s.io", "v1", "tokenreviews"),
        ("authorization.k8s.io", "v1", "localsubjectaccessreviews"),
        ("authorization.k8s.io", "v1", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "v1", "selfsubjectrulesreviews"),
        ("authorization.k8s.io", "v1", "subjectaccessreviews"),
    ]
)
"""Resources that a real server answers without storing anything, and this one answers with 501."""

# Field labels beyond metadata.name and metadata.namespace. A value is the path of the field when it differs from its
# label. Real servers default some of these fields at creation; defaults.py does the same.
SELECTABLE_FIELDS: dict[str, dict[str, str]] = {
    "pods": {
        "spec.nodeName": "",
        "spec.host": "spec.nodeName",
        "spec.restartPolicy": "",
        "spec.schedulerName": "",
        "spec.serviceAccountName": "",
        "spec.hostNetwork": "",
        "status.phase": "",
        "status.podIP": "",
        "status.podIPs": "status.podIPs",
        "status.nominatedNodeName": "",
    },
    "nodes": {"spec.unschedulable": ""},
    "namespaces": {"status.phase": ""},
    "secrets": {"type": ""},
    "services": {"spec.clusterIP": "", "spec.type": ""},
    "events": {
        "involvedObject.kind": "",
        "involvedObject.namespace": "",
        "involvedObject.name": "",
        "involvedObject.uid": "",
        "involvedObject.apiVersion": "",
        "involvedObject.resourceVersion": "",
        "involvedObject.fieldPath": "",
        "reason": "",
        "reportingComponent": "",
        "source": "source.component",
        "type": "",
    },
    "events.events.k8s.io": {
        "regarding.kind": "",
        "regarding.namespace": "",
        "regarding.name": "",
        "regarding.uid": "",
        "regarding.apiVersion": "",
        "regarding.resourceVersion": "",
        "regarding.fieldPath": "",
        "reason": "",
        "reportingController": "",
        "type": "",
    },
    "replicationcontrollers": {"status.replicas": ""},
    "jobs.batch": {"status.successful": "status.succeeded"},
    "certificatesigningrequests.certificates.k8s.io": {"spec.signerName": ""},
    "clustertrustbundles.certificates.k8s.io": {"spec.signerName": ""},
    "podcertificaterequests.certificates.k8s.io": {"spec.signerName": "", "spec.nodeName": ""},
    "resourceslices.resource.k8s.io": {"spec.nodeName": "", "spec.driver": ""},
}

# The resource that is in a namespace and cannot be selected by it.
WITHOUT_NAMESPACE_LABEL = frozenset(["podcertificaterequests.certificates.k8s.io"])
# Fields that are false when absent: their selectable value is "false", not "".
FALSE_WHEN_ABSENT = frozenset(["spec.hostNetwork", "spec.unschedulable"])
# Fields that are a count: absent is "0".
ZERO_WHEN_ABSENT = frozenset(["status.replicas", "status.succeeded"])

# The categories that kubectl's "all" stands for.
ALL_CATEGORY = frozenset(
    [
        "pods",
        "services",
        "replicationcontrollers",
        "daemonsets.apps",
        "deployments.apps",
        "replicasets.apps",
        "statefulsets.apps",
        "horizontalpodautoscalers.autoscaling",
        "cronjobs.batch",
        "jobs.batch",
    ]
)

# Two groups, one storage, two schemas: a real server converts between them.
SHARED_STORAGE = {"events.events.k8s.io": "events"}
