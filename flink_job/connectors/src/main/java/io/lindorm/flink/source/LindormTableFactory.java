package io.lindorm.flink.source;

import io.lindorm.flink.UserError;
import java.time.ZoneId;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.table.api.config.TableConfigOptions;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;

/** Makes the table source of {@code 'connector' = 'lindorm'}. */
public final class LindormTableFactory implements DynamicTableSourceFactory {

    @Override
    public String factoryIdentifier() {
        return "lindorm";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(LindormOptions.URL, LindormOptions.USERNAME);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of(
                LindormOptions.TABLE_NAME,
                LindormOptions.QUERY,
                LindormOptions.PASSWORD,
                LindormOptions.PASSWORD_FILE,
                LindormOptions.TIMESTAMP_COLUMN,
                LindormOptions.TIMESTAMP_START,
                LindormOptions.TIMESTAMP_END,
                LindormOptions.TIMESTAMP_UNIT,
                LindormOptions.FILTER,
                LindormOptions.PAGE_SIZE,
                LindormOptions.SPLIT_POINTS,
                LindormOptions.SPLIT_NUMBER,
                LindormOptions.ROWS_PER_SECOND,
                LindormOptions.RATES_PATH,
                LindormOptions.TIMEOUT,
                LindormOptions.RETRIES,
                LindormOptions.TLS_MODE,
                LindormOptions.TLS_CA_FILE);
    }

    /**
     * @throws UserError where an option or a column's type is wrong
     */
    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        helper.validate();
        DataType columns = context.getPhysicalRowDataType();
        for (int i = 0; i < DataType.getFieldCount(columns); i++) {
            try {
                ColumnReader.of(columns.getLogicalType().getChildren().get(i));
            } catch (IllegalArgumentException e) {
                throw new UserError("column `" + DataType.getFieldNames(columns).get(i) + "`: " + e.getMessage(), e);
            }
        }
        String zone = context.getConfiguration().get(TableConfigOptions.LOCAL_TIME_ZONE);
        return new LindormTableSource(
                Scan.of(helper.getOptions(), (RowType) columns.getLogicalType()),
                columns,
                zone.equals(TableConfigOptions.LOCAL_TIME_ZONE.defaultValue())
                        ? ZoneId.systemDefault()
                        : ZoneId.of(zone));
    }
}
