/* Works: a service in two versions with jobs, and the tools that their steps use: for tests of
   definitions and messages. WORKS is the folder with works.binpb and works.yaml. */
#ifndef TESTS_WORKS_H
#define TESTS_WORKS_H

#define WORKS_SERVICES                                                                             \
    "listen: ['127.0.0.1:0']\n"                                                                    \
    "store: {sqlite: " GARAGE "/works.db}\n"                                                       \
    "services:\n"                                                                                  \
    "  - name: works\n"                                                                            \
    "    versions:\n"                                                                              \
    "      - {name: v1, package: works.v1, schema: works.binpb}\n"                                 \
    "      - {name: v2, package: works.v2, schema: works.binpb}\n"                                 \
    "    default_version: v2\n"                                                                    \
    "    changes: [works.yaml]\n"                                                                  \
    "    instances: [{address: '127.0.0.1:7001', codec: json, protocol: connect, versions: "       \
    "[v2]}]\n"

#define WORKS_JOBS WORKS_SERVICES "jobs:\n"

#endif
