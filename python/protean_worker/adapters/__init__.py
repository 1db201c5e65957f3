# SPDX-License-Identifier: Apache-2.0
"""Models of other libraries, served by unpickling them: only where the operator has allowed that."""
