package io.lindorm.flink.files;

import java.io.IOException;
import org.apache.flink.core.fs.FSDataOutputStream;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.apache.flink.core.fs.RecoverableFsDataOutputStream;

/** A file that is published whole or not at all, on a local disk as in S3. */
public final class SmallFile {

    private SmallFile() {}

    /** Writes it, in the place of one that may be there. */
    public static void write(Path path, byte[] content) throws IOException {
        FileSystem fileSystem = path.getFileSystem();
        if (content.length == 0) {
            // Flink's recoverable writer for S3 makes no object of nothing (S3Committer); this one does when closed.
            try (FSDataOutputStream stream = fileSystem.create(path, FileSystem.WriteMode.OVERWRITE)) {
                return;
            }
        }
        RecoverableFsDataOutputStream stream =
                fileSystem.createRecoverableWriter().open(path);
        try {
            stream.write(content);
            stream.closeForCommit().commit();
        } catch (IOException e) {
            stream.close();
            throw e;
        }
    }
}
