"""Does what was decided: one idempotent function an action. The only place that changes the world."""

from lindorm_import.adapters import cloudwatch, dynamodb, loads, s3, scaling
from lindorm_import.domain.actions import (
    Action,
    CancelBulkPut,
    CreateBucket,
    CreateObject,
    CreateTable,
    DeleteBucket,
    DeleteConfigMap,
    DeleteDashboard,
    DeleteDeployment,
    DeleteImport,
    DeleteObjects,
    DeleteTable,
    EnablePointInTimeRecovery,
    HandOver,
    PublishMetrics,
    PutDashboard,
    RemoveScaling,
    ResumeJob,
    SetRates,
    SetScaling,
    StartBulkPut,
    StartImport,
    SuspendJob,
    TagTable,
    UpdateTable,
)
from lindorm_import.world.clients import Clients


def act(action: Action, namespace: str, region: str, clients: Clients) -> None:
    """Carries out one action. Doing it twice is the same as once. Raises TroubleError."""
    match action:
        case CreateBucket(name, bucket_region, tags):
            s3.create_bucket(clients.s3(region), name, bucket_region, dict(tags))
        case CreateTable(request):
            dynamodb.create_table(clients.dynamodb(region), request)
        case CreateObject(body):
            clients.kube.create(body)
        case SetRates(config_map, text):
            clients.kube.set_rates(namespace, config_map, text)
        case DeleteImport(name, uid):
            clients.kube.delete_import(namespace, name, uid)
        case HandOver(to_namespace, name, uid, resource):
            clients.kube.hand_over(to_namespace, name, uid, resource)
        case SuspendJob(deployment):
            clients.kube.suspend_job(namespace, deployment)
        case ResumeJob(body):
            clients.kube.resume_job(body)
        case DeleteDeployment(name, uid):
            clients.kube.delete_deployment(namespace, name, uid)
        case DeleteConfigMap(name, uid):
            clients.kube.delete_config_map(namespace, name, uid)
        case DeleteObjects(bucket, prefixes):
            s3.delete_objects(clients.s3(region), bucket, prefixes)
        case DeleteBucket(name):
            s3.delete_bucket(clients.s3(region), name)
        case DeleteTable(name):
            dynamodb.delete_table(clients.dynamodb(region), name)
        case UpdateTable(request):
            dynamodb.update_table(clients.dynamodb(region), request)
        case StartImport(request):
            loads.start_import(clients.dynamodb(region), request)
        case StartBulkPut(request):
            loads.start_bulk_put(clients.dynamodb(region), request)
        case CancelBulkPut(arn):
            loads.cancel_bulk_put(clients.dynamodb(region), arn)
        case TagTable(name, table_id, tags):
            dynamodb.tag_table(clients.dynamodb(region), name, table_id, dict(tags))
        case EnablePointInTimeRecovery(table):
            dynamodb.enable_point_in_time_recovery(clients.dynamodb(region), table)
        case SetScaling():
            scaling.set_scaling(clients.scaling(region), action)
        case RemoveScaling():
            scaling.remove_scaling(clients.scaling(region), action)
        case PublishMetrics(metrics):
            cloudwatch.publish(clients.cloudwatch(region), metrics)
        case PutDashboard(name, body):
            cloudwatch.put_dashboard(clients.cloudwatch(region), name, body)
        case DeleteDashboard(name):
            cloudwatch.delete_dashboard(clients.cloudwatch(region), name)
