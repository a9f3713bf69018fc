"""Where the descriptor sets of real APIs are: in the folder that CORPORA names, or in schemas/schemas.zip."""
import contextlib
import os
import pathlib
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent

# Versions of an API, the older one first, with a change list (NAME.yaml) and a key of what changed (keys/NAME.key).
PAIRS = {
    'bigquery-storage': ('google.cloud.bigquery.storage.v1beta1', 'google.cloud.bigquery.storage.v1'),
    'functions': ('google.cloud.functions.v1', 'google.cloud.functions.v2'),
    'language': ('google.cloud.language.v1', 'google.cloud.language.v2'),
    'notebooks': ('google.cloud.notebooks.v1', 'google.cloud.notebooks.v2'),
    'privateca': ('google.cloud.security.privateca.v1beta1', 'google.cloud.security.privateca.v1'),
    'pubsub': ('google.pubsub.v1beta2', 'google.pubsub.v1'),
    'securitycenter': ('google.cloud.securitycenter.v1', 'google.cloud.securitycenter.v2'),
    'speech': ('google.cloud.speech.v1', 'google.cloud.speech.v2'),
}

# The same with a key only.
MORE_PAIRS = {
    'accounts': ('google.shopping.merchant.accounts.v1beta', 'google.shopping.merchant.accounts.v1'),
    'datasources': ('google.shopping.merchant.datasources.v1beta', 'google.shopping.merchant.datasources.v1'),
    'datastream': ('google.cloud.datastream.v1alpha1', 'google.cloud.datastream.v1'),
    'dialogflow': ('google.cloud.dialogflow.v2beta1', 'google.cloud.dialogflow.v2'),
    'filestore': ('google.cloud.filestore.v1beta1', 'google.cloud.filestore.v1'),
    'gkehub': ('google.cloud.gkehub.v1beta1', 'google.cloud.gkehub.v1'),
    'inventories': ('google.shopping.merchant.inventories.v1beta', 'google.shopping.merchant.inventories.v1'),
    'metastore': ('google.cloud.metastore.v1alpha', 'google.cloud.metastore.v1'),
    'ordertracking': ('google.shopping.merchant.ordertracking.v1beta', 'google.shopping.merchant.ordertracking.v1'),
    'products': ('google.shopping.merchant.products.v1beta', 'google.shopping.merchant.products.v1'),
    'resourcemanager': ('google.cloud.resourcemanager.v2', 'google.cloud.resourcemanager.v3'),
    'servicedirectory': ('google.cloud.servicedirectory.v1beta1', 'google.cloud.servicedirectory.v1'),
    'talent': ('google.cloud.talent.v4beta1', 'google.cloud.talent.v4'),
    'tasks': ('google.cloud.tasks.v2beta2', 'google.cloud.tasks.v2'),
    'tasks-beta': ('google.cloud.tasks.v2beta3', 'google.cloud.tasks.v2'),
    'websecurityscanner': ('google.cloud.websecurityscanner.v1alpha', 'google.cloud.websecurityscanner.v1'),
}

# Pairs that had a key before the first list was tried on them, of several makers.
UNSEEN_PAIRS = {
    'abci': ('cometbft.abci.v1beta1', 'cometbft.abci.v1'),
    'abci-proposals': ('cometbft.abci.v1beta2', 'cometbft.abci.v1beta3'),
    'agentendpoint': ('google.cloud.osconfig.agentendpoint.v1beta', 'google.cloud.osconfig.agentendpoint.v1'),
    'analytics-data': ('google.analytics.data.v1alpha', 'google.analytics.data.v1beta'),
    'apiextensions': ('k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1beta1',
                      'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1'),
    'appengine': ('google.appengine.v1beta', 'google.appengine.v1'),
    'asset': ('google.cloud.asset.v1p1beta1', 'google.cloud.asset.v1'),
    'assistant': ('google.assistant.embedded.v1alpha1', 'google.assistant.embedded.v1alpha2'),
    'autoscaling': ('k8s.io.api.autoscaling.v1', 'k8s.io.api.autoscaling.v2'),
    'baremetal': ('yandex.cloud.baremetal.v1alpha', 'yandex.cloud.baremetal.v2'),
    'billing-budgets': ('google.cloud.billing.budgets.v1beta1', 'google.cloud.billing.budgets.v1'),
    'binauthz': ('google.cloud.binaryauthorization.v1beta1', 'google.cloud.binaryauthorization.v1'),
    'cloudtrace': ('google.devtools.cloudtrace.v1', 'google.devtools.cloudtrace.v2'),
    'connection': ('google.cloud.bigquery.connection.v1beta1', 'google.cloud.bigquery.connection.v1'),
    'containerd-shim': ('containerd.runtime.linux.shim.v1', 'containerd.task.v2'),
    'csi': ('csi.v0', 'csi.v1'),
    'data-analytics': ('google.cloud.geminidataanalytics.v1alpha', 'google.cloud.geminidataanalytics.v1'),
    'expr': ('google.api.expr.v1alpha1', 'google.api.expr.v1beta1'),
    'firestore-admin': ('google.firestore.admin.v1beta1', 'google.firestore.admin.v1'),
    'generativelanguage': ('google.ai.generativelanguage.v1beta2', 'google.ai.generativelanguage.v1'),
    'gov': ('cosmos.gov.v1beta1', 'cosmos.gov.v1'),
    'grafeas': ('grafeas.v1beta1', 'grafeas.v1'),
    'iap': ('google.cloud.iap.v1beta1', 'google.cloud.iap.v1'),
    'kms': ('v1beta1', 'v2'),
    'kubeflow': ('api', 'kubeflow.pipelines.backend.api.v2beta1'),
    'leases': ('k8s.io.api.coordination.v1alpha2', 'k8s.io.api.coordination.v1'),
    'memcache': ('google.cloud.memcache.v1beta2', 'google.cloud.memcache.v1'),
    'mesos': ('mesos', 'mesos.v1'),
    'migration': ('google.cloud.bigquery.migration.v2alpha', 'google.cloud.bigquery.migration.v2'),
    'network-connectivity': ('google.cloud.networkconnectivity.v1alpha1', 'google.cloud.networkconnectivity.v1'),
    'networking': ('k8s.io.api.networking.v1beta1', 'k8s.io.api.networking.v1'),
    'node': ('k8s.io.api.node.v1alpha1', 'k8s.io.api.node.v1'),
    'orgpolicy': ('google.cloud.orgpolicy.v1', 'google.cloud.orgpolicy.v2'),
    'policytroubleshooter': ('google.cloud.policytroubleshooter.v1', 'google.cloud.policytroubleshooter.iam.v3'),
    'recaptcha': ('google.cloud.recaptchaenterprise.v1beta1', 'google.cloud.recaptchaenterprise.v1'),
    'resource': ('k8s.io.api.resource.v1beta1', 'k8s.io.api.resource.v1'),
    'tpu': ('google.cloud.tpu.v1', 'google.cloud.tpu.v2'),
    'webrisk': ('google.cloud.webrisk.v1beta1', 'google.cloud.webrisk.v1'),
}


@contextlib.contextmanager
def descriptor_sets():
    """The folder with PACKAGE.binpb for each package."""
    told = os.environ.get('CORPORA')
    if told:
        yield pathlib.Path(told)
        return
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(HERE / 'schemas' / 'schemas.zip') as sets:
        sets.extractall(folder)
        yield pathlib.Path(folder)


def sides(folder, name):
    """Both versions of a pair: (file, package), the older one first."""
    return tuple((folder / f'{package}.binpb', package) for package in {**PAIRS, **MORE_PAIRS, **UNSEEN_PAIRS}[name])
