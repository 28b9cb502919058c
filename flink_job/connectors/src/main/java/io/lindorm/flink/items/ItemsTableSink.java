package io.lindorm.flink.items;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.aws.config.AWSConfigConstants;
import org.apache.flink.connector.dynamodb.sink.DynamoDbSink;
import org.apache.flink.connector.dynamodb.sink.DynamoDbWriteRequest;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.sink.DataStreamSinkProvider;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.util.OutputTag;

import java.util.Properties;
import java.util.UUID;

/**
 * The table sink behind {@code 'connector' = 'lindorm-items'}: rows become items in DynamoDB, or rejects in
 * files, and in the end there is a result.
 */
final class ItemsTableSink implements DynamicTableSink {

    private final JobConfig config;
    private final RowType rowType;
    private final String endpoint;

    /**
     * @param endpoint where DynamoDB is, or null for AWS's own address of the region
     */
    ItemsTableSink(JobConfig config, RowType rowType, String endpoint) {
        this.config = config;
        this.rowType = rowType;
        this.endpoint = endpoint;
    }

    @Override
    public ChangelogMode getChangelogMode(ChangelogMode requestedMode) {
        return ChangelogMode.insertOnly();
    }

    @Override
    public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
        return new DataStreamSinkProvider() {
            @Override
            public DataStreamSink<?> consumeDataStream(ProviderContext providerContext, DataStream<RowData> rows) {
                return consume(rows);
            }
        };
    }

    /** Puts the sink behind a stream of rows. */
    DataStreamSink<DynamoDbWriteRequest> consume(DataStream<RowData> rows) {
        OutputTag<Outcome> outcomes = new OutputTag<>("outcomes", TypeInformation.of(Outcome.class));
        String sinkId = UUID.randomUUID().toString();
        Properties client = new Properties();
        client.setProperty(AWSConfigConstants.AWS_REGION, config.target().region());
        if (endpoint != null) {
            client.setProperty(AWSConfigConstants.AWS_ENDPOINT, endpoint);
        }
        DynamoDbSink<DynamoDbWriteRequest> dynamoDb = DynamoDbSink.<DynamoDbWriteRequest>builder()
                .setTableName(config.target().table())
                .setElementConverter((item, writerContext) -> item)
                .setFailOnError(false)
                .setDynamoDbProperties(client)
                .build();
        DataStream<DynamoDbWriteRequest> items = rows.transform(
                        "items", new ItemTypeInfo(), new ItemsOperator(config, rowType, outcomes, sinkId))
                .uid("items")
                .setParallelism(rows.getParallelism());
        return items.sinkTo(new ItemSink(dynamoDb, config, outcomes, sinkId))
                .name("dynamodb")
                .uid("dynamodb")
                .setParallelism(rows.getParallelism());
    }

    @Override
    public DynamicTableSink copy() {
        return new ItemsTableSink(config, rowType, endpoint);
    }

    @Override
    public String asSummaryString() {
        return "DynamoDB items in " + config.target().table();
    }
}
